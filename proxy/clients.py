"""The HTTP sessions to the engine, and what goes wrong in them as errors of ours.

They are aiohttp's own: between two batches a stream's socket is not read at all, so that many
tokens cost one wake-up, and a layer above would have no way to say that and cost more than a small
request.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import aiohttp

from proxy.errors import ConnectionLost, EngineSilent, EngineUnavailable, JobError, StreamBroken
from proxy.settings import Settings
from supervisor.settings import table

_CONNECT_TIMEOUT = 5.0  # seconds; the engine is on this machine
_KEEP_ALIVE = 4.0  # seconds; vLLM closes an idle connection after 5, and a request could meet that


class Client:
    """An aiohttp session, made at its first use, inside the event loop to which it then belongs."""

    def __init__(
        self, settings: Settings, headers: Mapping[str, str], connector: Mapping[str, Any]
    ) -> None:
        self._settings = settings
        # Answers are handed over as they come: nothing here unpacks them.
        self._headers = {"Accept-Encoding": "identity", **headers}
        self._connector = connector

    @cached_property
    def session(self) -> aiohttp.ClientSession:
        """For every request. Say `allow_redirects=False`: the engine's word is no way out."""
        timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=_CONNECT_TIMEOUT,
            sock_read=self._settings[table.REQUEST_IDLE_TIMEOUT],
        )
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, **self._connector),
            timeout=timeout,
            headers=self._headers,
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self.session.close()


def pooled(settings: Settings, headers: Mapping[str, str]) -> Client:
    """A client that keeps its connections for the next request."""
    return Client(settings, headers, {"keepalive_timeout": _KEEP_ALIVE})


def fresh(settings: Settings, headers: Mapping[str, str]) -> Client:
    """A client that never takes an old connection: where one was lost, all idle ones may be."""
    return Client(settings, headers, {"force_close": True})


@contextlib.contextmanager
def named_errors() -> Iterator[None]:
    """Turn the client's errors into ours.

    Raises:
        JobError: EngineUnavailable, EngineSilent, ConnectionLost or StreamBroken.
    """
    try:
        yield
    except (aiohttp.ClientError, ConnectionError) as reason:
        raise _named(reason) from reason


def _named(reason: BaseException) -> JobError:
    if isinstance(reason, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return EngineUnavailable("the engine cannot be reached")
    if isinstance(reason, aiohttp.ServerTimeoutError):
        return EngineSilent("the engine sent nothing for REQUEST_IDLE_TIMEOUT")
    if isinstance(reason, aiohttp.ServerDisconnectedError):
        return ConnectionLost("the engine closed the connection before its answer began")
    return StreamBroken("the engine's answer broke off")
