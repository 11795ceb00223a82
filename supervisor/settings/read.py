"""What the supervisor makes of its settings: `read` an environment, get `Settings` and findings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from ..findings import Applied, Findings, Ignored, Remark
from ..records import dataclass, field
from ..secrets import masked
from . import otel, table
from .mode import JOBS_FROM, Mode, of_platform, sends_jobs
from .parsers import is_none
from .routes import OFFERED
from .values import Values, early, take

T = TypeVar("T")

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - plain and load-balancer mode serve the outside
_LOOPBACK = "127.0.0.1"
_BALANCED_DELAY = 15.0  # seconds: a balancer that looks every 5 s has looked three times
_PING = "/ping"
_PLAIN_PATH = re.compile(r"/|(?:/[A-Za-z0-9._~-]+)+/?")
#: What is not for everybody, and where a browser or a scanner looks first.
_TAKEN = frozenset({"/status", "/metrics", ""})
_SHOWN = 100  # characters of a value
_OF_A_LONE_PROXY = (
    "the worker sets it for its proxy; setting it only affects `python -m proxy` on its own"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, `settings[table.DRAIN_TIMEOUT]`, and what follows from them."""

    mode: Mode = Mode.PLAIN
    engine_host: str = _EVERYWHERE
    engine_port: int = table.VLLM_PORT.default
    #: What sets `engine_port`, where it is not the mode's variable.
    engine_port_said_by: str = ""
    engine_tls: bool = False
    values: Values = field(default_factory=Values)

    def __getitem__(self, setting: table.Setting[T]) -> T:
        return self.values[setting]

    @property
    def control_host(self) -> str:
        """The address of the control port."""
        return self[table.CONTROL_HOST]

    @property
    def control_port(self) -> int:
        """The TCP port of `/ping`, `/status` and `/metrics`."""
        return self[table.PORT_HEALTH]

    @property
    def drain_delay(self) -> float:
        """Seconds in which requests are still answered after the signal to stop."""
        told = self[table.DRAIN_DELAY]
        return _BALANCED_DELAY if told is None and self.mode is Mode.LOAD_BALANCER else told or 0.0

    @property
    def warms(self) -> bool:
        """Whether requests are sent to an engine that is healthy before the worker is ready."""
        told = self[table.WARMUP]
        return self.mode is not Mode.PLAIN if told is None else bool(told)

    @property
    def warmup_file(self) -> str | None:
        """The file with these requests; None where it is ours to choose them."""
        told = self[table.WARMUP]
        return told if isinstance(told, str) else None

    @property
    def health_path(self) -> str:
        """Where the control port answers the platform's question, beside or instead of /ping."""
        told = self[table.HEALTH_CHECK_PATH]
        return told if told is not None and _may_be_health(told) else _PING

    @property
    def listening(self) -> tuple[tuple[str, str, int], ...]:
        """What will listen on this machine: what sets the port, address, port."""
        engine = self.engine_port_said_by or _engine_port(self.mode).name
        return (
            (engine, self.engine_host, self.engine_port),
            (table.PORT_HEALTH.name, self.control_host, self.control_port),
        )

    @property
    def offered_routes(self) -> frozenset[str]:
        """Those of the engine that jobs may ask for, without such as have a part that varies."""
        return OFFERED.union(self[table.ALLOWED_ROUTES])

    @property
    def engine_url(self) -> str:
        """Where this machine reaches the engine."""
        scheme = "https" if self.engine_tls else "http"
        return f"{scheme}://{_reachable(self.engine_host)}:{self.engine_port}"

    @property
    def control_url(self) -> str:
        """Where this machine reaches `/ping` and `/status`: at a loopback address."""
        host = _reachable(self.control_host)
        own = host if host.startswith("127.") or host == "[::1]" else _LOOPBACK
        return f"http://{own}:{self.control_port}"


def read(env: Mapping[str, str]) -> tuple[Settings, Findings]:
    """The settings in `env`, and what was found: what is set, without effect, or wrong.

    Everything wrong is among the findings; the setting then has its default.
    """
    mode = _mode(env)
    ignored = list(_without_effect(env, mode))
    idle = {each.env for each in ignored}
    if not asks_for_nodes(env):
        idle |= {row.name for row in table.OF_CLUSTER}
    rows = [row for row in table.TABLE if row.name not in idle]
    values, faults = take(env, rows)
    refused = {fault.env for fault in faults}
    listed = [
        _listed(row, env)
        for row in rows
        if row.listed and row.written(env) and row.variable(env) not in refused
    ]
    settings = Settings(
        mode,
        engine_host=_LOOPBACK if mode is Mode.QUEUE else _EVERYWHERE,
        engine_port=values[_engine_port(mode)],
        values=values,
    )
    found = Findings.of(*listed, *ignored, *_warnings(env, mode), *_of_batches(values), *faults)
    return settings, found + otel.findings(env)


def asks_for_nodes(env: Mapping[str, str]) -> bool:
    """Whether this worker is to serve together with those of other nodes."""
    return early(env, table.NUM_NODES) > 1 and early(env, table.CLUSTER)


def taken(env: Mapping[str, str]) -> frozenset[str]:
    """The variables that are the worker's in `env`, also those of a platform that it goes by."""
    if not asks_for_nodes(env):
        return table.WORKER_VARIABLES
    return table.WORKER_VARIABLES | {row.variable(env) for row in table.OF_CLUSTER}


def _listed(row: table.Setting[Any], env: Mapping[str, str]) -> Applied:
    name = row.variable(env)
    note = {row.name: None, row.former: f"an old name of {row.name}"}.get(name, f"as {row.name}")
    if row is table.WORKER_MODE and _mode(env) is Mode.QUEUE and not sends_jobs(env):
        note = f"a start needs {JOBS_FROM} as well, which RunPod sets on a queue endpoint"
    return Applied(name, masked(name, row.written(env)), None, "worker", note)


def _mode(env: Mapping[str, str]) -> Mode:
    values, _ = take(env, [table.WORKER_MODE])
    return values[table.WORKER_MODE] or of_platform(env)


def _engine_port(mode: Mode) -> table.Setting[int]:
    return table.PORT if mode is Mode.LOAD_BALANCER else table.VLLM_PORT


def _without_effect(env: Mapping[str, str], mode: Mode) -> Iterator[Ignored]:
    """What is set and does nothing here."""
    used = _engine_port(mode)
    idle = table.VLLM_PORT if used is table.PORT else table.PORT
    if used.is_foreign(env):
        reason = "Kubernetes sets it for a Service named vllm; it is no setting of this worker"
        yield Ignored(used.name, reason)
    if _is_set(env, idle.name):
        yield Ignored(idle.name, f"{used.name} sets the engine's port in {mode} mode")
    for row in table.TABLE:
        if row.reader is table.Reader.LONE_PROXY and _is_set(env, row.name):
            yield Ignored(row.name, _OF_A_LONE_PROXY)
        if row.former and _is_set(env, row.former) and row.variable(env) != row.former:
            yield Ignored(row.former, f"{row.name} is set, which is its name today")
    if not asks_for_nodes(env):
        several = early(env, table.NUM_NODES) > 1
        why = f"{table.CLUSTER.name} is off" if several else f"{table.NUM_NODES.name} is not over 1"
        for row in table.OF_CLUSTER:
            if _is_set(env, row.name) and not row.is_foreign(env):
                yield Ignored(row.name, f"this node serves alone: {why}")


def _warnings(env: Mapping[str, str], mode: Mode) -> Iterator[Remark]:
    name = table.PORT_HEALTH.name
    if mode is Mode.LOAD_BALANCER and not _is_set(env, name):
        yield Remark(
            name,
            f"{name} is not set, so the platform pings the engine's own port, which refuses while"
            " the model loads",
            f"set {name}={table.PORT_HEALTH.default} on the endpoint",
        )
    path = table.HEALTH_CHECK_PATH.of(env)
    if path is not None and not _may_be_health(path):
        why = "the control port has that for itself" if _is_taken(path) else "it is no plain path"
        yield Remark(
            table.HEALTH_CHECK_PATH.name,
            f"{table.HEALTH_CHECK_PATH.name}={masked('', path[:_SHOWN])} is not served: {why}",
            f"set it to {_PING}, or to another path such as /healthz",
        )


def _of_batches(values: Values) -> Iterator[Remark]:
    first, most = values[table.DEFAULT_MIN_BATCH_SIZE], values[table.DEFAULT_BATCH_SIZE]
    if first > most:
        name, other = table.DEFAULT_MIN_BATCH_SIZE.name, table.DEFAULT_BATCH_SIZE.name
        message = f"{name}={first} is more than {other}={most}, the most tokens in a batch"
        yield Remark(name, message, f"set {name} to {most} or less, or raise {other}")


def _may_be_health(path: str) -> bool:
    return bool(_PLAIN_PATH.fullmatch(path)) and not _is_taken(path)


def _is_taken(path: str) -> bool:
    return path.rstrip("/") in _TAKEN


def _is_set(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "").strip()
    return bool(text) and not is_none(text)


def _reachable(host: str) -> str:
    """Where this machine reaches what listens on `host`."""
    if host in {_EVERYWHERE, "::", "localhost"}:
        return _LOOPBACK
    return f"[{host}]" if ":" in host else host
