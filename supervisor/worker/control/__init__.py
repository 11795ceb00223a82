"""The control port: GET /ping, also under the platform's name for it, /status, /metrics, the page.

It may be open to the whole network, and the process behind it supervises an engine: so a head has
few seconds, of too many connections the one that has been idle longest goes, and descriptors are
left to supervision. No library's server does the first two, and aiohttp's takes 180 ms of CPU to
import, while vLLM wants them.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from ...errors import SupervisorError
from ...machine import ports
from ...settings import table
from ...settings.mode import Mode
from ...settings.read import Settings
from ..process import descriptors
from ..status import Status
from .access import Access
from .answers import Answers, Looked
from .connection import Connection
from .crowd import Crowd
from .listener import Listener, listen

#: With so many, a flood of 10,000 new ones a second leaves each a tenth of a second to ask.
_CONNECTIONS_MOST = 1024
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - /ping answers the platform


async def serve(status: Status, settings: Settings, looked_at: Looked) -> Listener:
    """Listen on the control port until the returned listener is closed.

    In load-balancer mode it listens on every address, because the platform asks for /ping from
    outside. The worker's own processes always find it at `settings.control_url`.

    Args:
        status: what is told.
        settings: where, and to whom.
        looked_at: see `Answers`.

    Raises:
        SupervisorError: the port cannot be listened on.
    """
    first = _EVERYWHERE if settings.mode is Mode.LOAD_BALANCER else settings.control_host
    own = urlsplit(settings.control_url).hostname or first
    sockets: list[socket.socket] = []
    for host in (first, own):
        if _covered(host, sockets):
            continue
        try:
            sockets += await listen(host, settings.control_port)
        except OSError as reason:
            for each in sockets:
                each.close()
            raise SupervisorError(_refusal(host, settings.control_port, reason)) from None
    access = Access(settings[table.CONTROL_TOKEN], settings.control_host)
    answers = Answers(status, access, settings.health_path, looked_at)
    crowd = Crowd(descriptors.spared(_CONNECTIONS_MOST))
    return Listener(sockets, lambda: Connection(answers, crowd), crowd, asyncio.get_running_loop())


def _covered(host: str, sockets: Iterable[socket.socket]) -> bool:
    there = {each.getsockname()[0] for each in sockets}
    return host in there or (_EVERYWHERE in there and ":" not in host)


def _refusal(host: str, port: int, reason: OSError) -> str:
    if reason.errno == errno.EADDRINUSE:
        taken = f"the control port {port} is taken by {ports.owner(port)}"
        return f"{taken}; set {table.PORT_HEALTH.name} to a free one"
    known = isinstance(reason.errno, int) and reason.errno > 0
    why = os.strerror(reason.errno) if known and reason.errno else str(reason)
    remedy = f"set {table.CONTROL_HOST.name} to an address of this machine"
    return f"the control port cannot listen on {host}, port {port}: {why}; {remedy}"
