"""Where the engine listens, how it stops listening, and what it logs of that. Pure.

What the user says in VLLM_EXTRA_ARGS or behind the image's name comes last and wins, so the worker
has to follow it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..catalog import Catalog
from ..catalog.options import variable
from ..findings import Applied, Fault, Finding, Findings
from ..records import replace
from ..settings import parsers, table
from ..settings.mode import Mode
from ..settings.read import Settings
from .arguments import Arguments
from .extra_arguments import NAME

SHUTDOWN_TIMEOUT = "--shutdown-timeout"

_CERTIFICATES = ("--ssl-certfile", "--ssl-keyfile")
_QUIET = "--disable-access-log-for-endpoints"
#: What the worker asks a ready engine for every few seconds; see `worker.engine`.
_PROBED = "/health,/metrics"
#: Who sets one of these has said which accesses are to be logged.
_ON_ACCESS_LOGS = (
    _QUIET,
    "--disable-uvicorn-access-log",
    "--log-config-file",
    "--logging-config.pylogging-config-file",
)


def follow(settings: Settings, of_user: Arguments, written: Arguments) -> tuple[Settings, Findings]:
    """`settings` with the address, the port and the certificates that the engine is given.

    Args:
        settings: the worker's.
        of_user: the options in VLLM_EXTRA_ARGS.
        written: those that are written behind the image's name, which win.
    """
    extra = of_user + written

    def said(flag: str) -> tuple[str, str]:
        """By what it is said, and how a sentence names that."""
        return (flag, flag) if written.last(flag) else (NAME, f"{flag} in {NAME}")

    found: list[Finding] = []
    if extra.last("--uds"):
        name, shown = said("--uds")
        message = f"{shown} takes the engine off TCP, where the worker looks for it"
        found.append(Fault(name, "--uds", message, "remove it"))
    if certificates := [flag for flag in _CERTIFICATES if extra.value(flag)]:
        found += _useless_certificates(settings, *said(certificates[0]))
        settings = replace(settings, engine_tls=True)
    if host := extra.value("--host"):
        settings = replace(settings, engine_host=host)
    text = extra.value("--port")
    if text is not None:
        name, by = said("--port")
        try:
            settings = replace(settings, engine_port=parsers.port(text), engine_port_said_by=by)
        except ValueError as reason:
            shown = f"--port {text}".rstrip()
            place = by.removeprefix("--port")
            found.append(Fault(name, shown, f"{shown}{place} {reason}"))
    return settings, Findings.of(*found, *_same_port(settings))


def _useless_certificates(settings: Settings, name: str, said: str) -> list[Finding]:
    if settings.mode is not Mode.QUEUE:
        return []
    message = f"{said} is useless in queue mode: only the worker talks to the engine"
    remedy = "remove it; traffic to the platform is already encrypted"
    return [Fault(name, said.split()[0], message, remedy)]


def _same_port(settings: Settings) -> list[Finding]:
    number = settings.engine_port
    if settings.control_port != number:
        return []
    name, default = table.PORT_HEALTH.name, table.PORT_HEALTH.default
    message = f"the engine and the control port both use {number}"
    remedy = f"set {name}={default if number != default else default + 1}"
    return [Fault(name, str(number), message, remedy)]


def drain(
    env: Mapping[str, str], settings: Settings, catalog: Catalog | None, said: Arguments
) -> tuple[tuple[str, ...], Findings]:
    """The option by which the engine drains itself, where clients talk to it directly.

    By default vLLM aborts at SIGTERM what runs. In queue mode the proxy has finished its jobs
    before the engine is told.

    Args:
        env: for what the user sets himself.
        settings: the worker's.
        catalog: what the engine accepts.
        said: the options that are on the command line already.
    """
    known = catalog is not None and catalog.option(SHUTDOWN_TIMEOUT) is not None
    if settings.mode is Mode.QUEUE or not known or said.last(SHUTDOWN_TIMEOUT):
        return (), Findings()
    own = table.DRAIN_TIMEOUT.written(env)
    if table.VLLM_CONFIG_FILE.written(env) and not own:
        return (), Findings()  # the file may say it, and a default is not to win over it
    value = f"{settings[table.DRAIN_TIMEOUT]:.0f}"
    note = "the engine finishes what runs before it stops"
    row = Applied(table.DRAIN_TIMEOUT.name, value, SHUTDOWN_TIMEOUT, "worker", note)
    return (f"{SHUTDOWN_TIMEOUT}={value}",), Findings.of(row)


def quiet(
    env: Mapping[str, str], catalog: Catalog | None, said: Arguments
) -> tuple[tuple[str, ...], Findings]:
    """The option by which the engine logs no access for the worker's own probes.

    They come for ever, and would push everything else out of its log. Older versions have no such
    option. The arguments are as in `drain`.
    """
    known = catalog is not None and catalog.option(_QUIET) is not None
    if not known or any(said.last(flag) for flag in _ON_ACCESS_LOGS):
        return (), Findings()
    if table.VLLM_CONFIG_FILE.written(env):
        return (), Findings()  # the file may say it, and a default is not to win over it
    note = "the worker's default: its own probes are not logged"
    row = Applied(variable(_QUIET), _PROBED, _QUIET, "worker", note)
    return (f"{_QUIET}={_PROBED}",), Findings.of(row)
