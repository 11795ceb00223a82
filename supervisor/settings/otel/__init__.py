"""What OpenTelemetry's variables say: where figures and traces go, and what of that is wrong. Pure.

The names and their meaning are OpenTelemetry's, for whoever sets them sets them for other programs
too. Most of them its SDK reads itself; what it would only complain of, with a secret in the
complaint, or take in another way than its specification, is found here.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from urllib.parse import urlsplit

from ...findings import Applied, Fault, Findings, Remark
from ...records import dataclass
from ...secrets import masked
from . import checks
from .checks import PROTOCOL as PROTOCOL

FAMILY = "OTEL_"
SERVICE_NAME = "OTEL_SERVICE_NAME"
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"

_OTLP = "OTEL_EXPORTER_OTLP_"
_ENDPOINT, _TIMEOUT = "ENDPOINT", "TIMEOUT"
_GRPC_PORT = 4317
_TIMEOUT_MS = 10_000.0
_INTERVAL, _INTERVAL_MS = "OTEL_METRIC_EXPORT_INTERVAL", 60_000.0


class Signal(StrEnum):
    """What is exported."""

    TRACES = "traces"
    METRICS = "metrics"

    @property
    def endpoint(self) -> str:
        """The variable with its own address."""
        return f"{_OTLP}{self.name}_{_ENDPOINT}"

    @property
    def exporter(self) -> str:
        """The variable that can switch it off."""
        return f"{FAMILY}{self.name}_EXPORTER"


@dataclass(frozen=True, slots=True)
class Target:
    """Where one signal goes: the whole URL, and how many seconds a request to it may take."""

    url: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Targets:
    """Where each goes; None: nowhere."""

    traces: Target | None = None
    metrics: Target | None = None


def targets(env: Mapping[str, str]) -> Targets:
    """Where figures and traces go by `env`; nowhere where that is not said, or cannot be used."""
    found = {signal: _target(env, signal) for signal in Signal if not _faults(env, signal)}
    return Targets(found.get(Signal.TRACES), found.get(Signal.METRICS))


def cleaned(env: Mapping[str, str]) -> Mapping[str, str]:
    """`env` with their values as they count here: no blanks around them, and no blank ones.

    The SDK takes a blank for a part of the value, and some of what it then does not know for a
    default, others for an error.
    """
    values = {name: _said(env, name) for name in env if name.startswith(FAMILY)}
    if all(text and text == env[name] for name, text in values.items()):
        return env
    return {name: values.get(name, env[name]) for name in env if values.get(name, True)}


def interval(env: Mapping[str, str]) -> float:
    """Seconds from one export of metrics to the next."""
    return float(_said(env, _INTERVAL) or _INTERVAL_MS) / 1000


def source(env: Mapping[str, str], signal: Signal) -> str:
    """The variable that says where a signal goes; empty where none does."""
    found = _endpoint(env, signal)
    return "" if found is None else found[0]


def files(env: Mapping[str, str]) -> dict[str, str]:
    """The files that they name, by the variable; none where nothing is exported."""
    if targets(env) == Targets():
        return {}
    ends = ("_CERTIFICATE", "_CLIENT_KEY")
    names = (name for name in sorted(env) if name.startswith(_OTLP[:-1]) and name.endswith(ends))
    return {name: _said(env, name) for name in names if _said(env, name)}


def findings(env: Mapping[str, str]) -> Findings:
    """What is said of them, and what is wrong with that; nothing where nothing is exported."""
    on = [signal for signal in Signal if _endpoint(env, signal)]
    if not on or _disabled(env):
        return Findings()
    faults = {fault.env: fault for signal in on for fault in _faults(env, signal)}
    listed = [
        Applied(name, masked(name, _said(env, name)), None, "worker")
        for name in sorted(env)
        if name.startswith(FAMILY) and _said(env, name) and name not in faults
    ]
    return Findings.of(*listed, *_remarks(env, on), *faults.values())


def _remarks(env: Mapping[str, str], on: list[Signal]) -> Iterator[Remark]:
    for signal in on:
        yield from _of_path(env, signal)
    for name in sorted({source(env, signal) for signal in on}):
        with contextlib.suppress(ValueError):  # it is a fault
            if urlsplit(_said(env, name)).port == _GRPC_PORT:
                message = (
                    f"{name} names port {_GRPC_PORT}, where collectors take OTLP by gRPC; this"
                )
                remedy = "most take that on port 4318"
                yield Remark(name, f"{message} worker speaks {PROTOCOL}", remedy)
    for name, least in checks.MEANT_SECONDS.items():
        with contextlib.suppress(ValueError):
            if 0 < float(_said(env, name) or 0) < least:
                message = f"{name}={_said(env, name)} is in milliseconds, and few"
                yield Remark(name, message, "multiply it by 1000 if seconds were meant")
    name, wanted = checks.TEMPORALITY, _said(env, checks.TEMPORALITY)
    if Signal.METRICS in on and wanted.lower() not in {"", checks.CUMULATIVE}:
        yield Remark(
            name,
            f"{name}={wanted} is not what metrics come with: totals are exported, as they stand in"
            " /metrics",
            f"set {checks.CUMULATIVE}; a collector makes deltas of totals by its processor"
            " `cumulativetodelta`",
        )


def _of_path(env: Mapping[str, str], signal: Signal) -> Iterator[Remark]:
    """What is said of a path that collectors do not have."""
    target, name = None if _faults(env, signal) else _target(env, signal), source(env, signal)
    if target is None:
        return
    path, wanted = urlsplit(target.url).path, f"/v1/{signal}"
    if name == signal.endpoint and path in {"", "/"}:
        message = f"{name} has no path, and is taken as it is: {signal} go to /"
        yield Remark(name, message, f"collectors take them at {wanted}: add that")
    elif name != signal.endpoint and re.search(r"/v1/(traces|metrics)/v1/", path):
        message = f"{name} is a base address, to which {wanted} is added: {signal} go to {path}"
        yield Remark(name, message, "leave the path of a signal away")


def _target(env: Mapping[str, str], signal: Signal) -> Target | None:
    found = _endpoint(env, signal)
    if _disabled(env) or found is None:
        return None
    name, own = found
    url = _said(env, name) if own else f"{_said(env, name).rstrip('/')}/v1/{signal}"
    timeout = _first(env, signal, _TIMEOUT)
    return Target(url, float(_said(env, timeout) if timeout else _TIMEOUT_MS) / 1000)


def _endpoint(env: Mapping[str, str], signal: Signal) -> tuple[str, bool] | None:
    """The variable with a signal's address, and whether it is its own; None where it goes nowhere.

    A base address is that of all signals, to which the specification adds each one's path.
    """
    if _said(env, signal.exporter).lower() == "none":
        return None
    if _said(env, signal.endpoint):
        return signal.endpoint, True
    return (_OTLP + _ENDPOINT, False) if _said(env, _OTLP + _ENDPOINT) else None


def _disabled(env: Mapping[str, str]) -> bool:
    return _said(env, f"{FAMILY}SDK_DISABLED").lower() == "true"


def _first(env: Mapping[str, str], signal: Signal, of: str) -> str | None:
    """The variable that counts for a signal: its own, or the one of all."""
    names = (f"{_OTLP}{signal.name}_{of}", _OTLP + of)
    return next((name for name in names if _said(env, name)), None)


def _faults(env: Mapping[str, str], signal: Signal) -> list[Fault]:
    """What of the values that count for a signal cannot be used."""
    found = _endpoint(env, signal)
    names: dict[str, checks.Check] = {}
    if found:
        names[found[0]] = checks.url if found[1] else checks.base
    of_otlp = ((_first(env, signal, of), check) for of, check in checks.OF_OTLP.items())
    names |= {name: check for name, check in of_otlp if name}
    names |= {name: check for name, check in checks.OF_SDK.items() if _said(env, name)}
    names |= {signal.exporter: checks.exporter} if _said(env, signal.exporter) else {}
    faults = []
    for name, check in names.items():
        try:
            check(_said(env, name))
        except ValueError as reason:
            shown = masked(name, _said(env, name))
            faults.append(Fault(name, shown, f"{name}={shown} {reason}"))
    if signal is Signal.TRACES and not {checks.QUEUE, checks.BATCH} & {one.env for one in faults}:
        faults += _of_batches(env)
    return faults


def _of_batches(env: Mapping[str, str]) -> list[Fault]:
    """What the SDK, here and in the engine, refuses when it is to make batches of spans."""
    queue, batch = _said(env, checks.QUEUE), _said(env, checks.BATCH)
    size, most = int(batch or checks.BATCH_SIZE), int(queue or checks.QUEUE_SIZE)
    if size <= most:
        return []
    others = f"{checks.BATCH}={size}{'' if batch else ', its default'}"
    name, value = (checks.QUEUE, queue) if queue else (checks.BATCH, batch)
    if name == checks.BATCH:
        others = f"{checks.QUEUE}={most}, its default"
    message = f"{name}={value} does not go with {others}: a batch is a part of the queue"
    return [Fault(name, value, message, f"set {checks.BATCH} to {most} or less")]


def _said(env: Mapping[str, str], name: str) -> str:
    return env.get(name, "").strip()
