"""Tells the platform again and again that this worker is alive, and which jobs it has in hand.

The SDK does that in a process of its own, which runs `beat` here instead of the SDK's loop. That
one logs the whole address of a ping that fails, with the id of every job; and after a freeze it
sends its pings over a connection that the other side has long forgotten.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import requests
import runpod
from runpod.serverless.modules import rp_ping

from proxy.platform import logs
from supervisor.telemetry.causes import innermost

log = logging.getLogger("proxy")

_LEAST_INTERVAL = 1  # seconds; the SDK would make 0 of less
_LATE = 5.0  # seconds: a ping that comes so much later was kept from it by a freeze
_SHOWN = 120  # characters of a cause
_ERROR = 400


class Mirror(Protocol):
    """The jobs in hand, as the SDK's main process writes them down."""

    def get(self) -> str | None:
        """Their ids, parted by commas; None for none."""


def install(env: Mapping[str, str]) -> bool:
    """Put `beat` in the place of the SDK's loop.

    Args:
        env: of which the form of its log follows.

    Returns:
        Whether this SDK has what that needs; False leaves it as it is, with a warning.
    """
    missing = _missing()
    if missing:
        log.warning("runpod %s has no %s: pings are the SDK's own", runpod.__version__, missing)
        return False
    beating = partial(beat, dict(env))
    setattr(rp_ping.Heartbeat, "process_loop", staticmethod(beating))  # noqa: B010 - as in `sdk`
    return True


def _missing() -> str | None:
    """The first thing that `beat` needs and this SDK does not have."""
    heartbeat = rp_ping.Heartbeat
    source = inspect.getsource(heartbeat)
    for text in (
        "target=Heartbeat.process_loop, args=(mirror, test)",
        "self.PING_URL = ",
        "self.PING_INTERVAL = ",
        "self._session = ",
        '"job_id": job_ids, "runpod_version": runpod_version',
    ):
        if text not in source:
            return text
    return None


def beat(env: Mapping[str, str], mirror: Mirror | None = None, test: bool = False) -> None:
    """Ping for ever; once for a `test`. What the SDK's process runs, by this name."""
    logs.configure(env)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its retries name the whole address
    sdk = rp_ping.Heartbeat()
    interval = max(_LEAST_INTERVAL, sdk.PING_INTERVAL)
    heart = Heart(sdk._session, sdk.PING_URL, interval, mirror)
    while True:
        heart.ping()
        time.sleep(interval)
        if test:
            return


class Heart:
    """Pings over one session.

    Args:
        session: the SDK's, with its key and its retries.
        url: where to.
        interval: seconds between two pings.
        mirror: knows the jobs in hand.
        clock: gives seconds and never goes back.
    """

    def __init__(
        self,
        session: requests.Session,
        url: str,
        interval: float,
        mirror: Mirror | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._url = url
        self._interval = interval
        self._mirror = mirror
        self._clock = clock
        self._last = clock()

    def ping(self) -> None:
        """One ping, by a new connection where the last one was long ago; logs where it fails."""
        now = self._clock()
        if now - self._last > self._interval + _LATE:
            self._session.close()  # its pooled connections: the next request opens others
        self._last = now
        jobs = None if self._mirror is None else self._mirror.get()
        params: dict[str, Any] = {"job_id": jobs, "runpod_version": runpod.__version__}
        try:
            answer = self._session.get(self._url, params=params, timeout=self._interval * 2)
        except (requests.RequestException, OSError, ValueError) as reason:
            log.warning("the platform did not take a ping (%s)", _why(reason))
            return
        if answer.status_code >= _ERROR:
            log.warning("the platform did not take a ping (status %d)", answer.status_code)


def _why(reason: BaseException) -> str:
    """The innermost cause in few words, never with the address that was asked."""
    reason = innermost(reason)
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    said = str(reason).rpartition(": ")[2]
    if not said or "job_id" in said or "://" in said:
        return type(reason).__name__
    return said[:_SHOWN]
