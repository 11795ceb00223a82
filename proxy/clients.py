"""The HTTP client for the engine, and what goes wrong in it as errors of ours."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.errors import ConnectionLost, EngineSilent, EngineUnavailable, JobError, StreamBroken
from proxy.settings import Settings
from proxy.wire.client import Client
from proxy.wire.connection import StaleConnection
from proxy.wire.pool import Unreachable
from supervisor.settings import table

_KEPT = 4.0  # seconds; vLLM closes an idle connection after 5, and a request could meet that


def client(settings: Settings, headers: Mapping[str, str]) -> Client:
    """A client of the engine; what it raises is a JobError, as `named` makes it."""
    # Answers are handed over as they come: nothing here unpacks them.
    headers = {"Accept": "*/*", "Accept-Encoding": "identity", **headers}
    silence = settings[table.REQUEST_IDLE_TIMEOUT]
    return Client(settings.engine_url, headers, silence, _KEPT, named)


def named(reason: OSError) -> JobError:
    """EngineUnavailable, EngineSilent, ConnectionLost or StreamBroken."""
    if isinstance(reason, Unreachable):
        return EngineUnavailable("the engine cannot be reached")
    if isinstance(reason, TimeoutError):
        return EngineSilent("the engine sent nothing for REQUEST_IDLE_TIMEOUT")
    if isinstance(reason, StaleConnection):
        return ConnectionLost("the engine closed the connection before its answer began")
    return StreamBroken("the engine's answer broke off")
