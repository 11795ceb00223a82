"""The control port: GET /ping, also under the platform's name for it, /status and /metrics."""

from __future__ import annotations

import errno
import ipaddress
import math
import os

from aiohttp import web

from .. import ports
from ..errors import SupervisorError
from ..settings import table
from ..settings.mode import Mode
from ..settings.read import Settings
from .lifecycle import Phase
from .status import Status

_WAIT_MOST = 3600.0  # seconds
_LAST_ANSWERS = 0.5  # seconds for answers under way when the worker ends


async def serve(status: Status, settings: Settings) -> web.AppRunner:
    """Listen on the control port until the returned runner is cleaned up.

    In load-balancer mode the platform asks for /ping from outside; the rest stays on CONTROL_HOST.

    Raises:
        SupervisorError: the port cannot be listened on.
    """
    opened = settings.mode is Mode.LOAD_BALANCER
    host = "0.0.0.0" if opened else settings.control_host  # noqa: S104
    only_ping_outside = opened and _is_loopback(settings.control_host)
    # A question that waits for a state ends with its asker, and holds no stop of the worker.
    runner = web.AppRunner(
        _application(status, settings.health_path, only_ping_outside=only_ping_outside),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=_LAST_ANSWERS,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, settings.control_port).start()
    except OSError as reason:
        await runner.cleanup()
        raise SupervisorError(_refusal(host, settings.control_port, reason)) from None
    return runner


def _refusal(host: str, port: int, reason: OSError) -> str:
    if reason.errno == errno.EADDRINUSE:
        taken = f"the control port {port} is taken by {ports.owner(port)}"
        return f"{taken}; set {table.PORT_HEALTH.name} to a free one"
    why = os.strerror(reason.errno) if reason.errno else str(reason)
    remedy = f"set {table.CONTROL_HOST.name} to an address of this machine"
    return f"the control port cannot listen on {host}, port {port}: {why}; {remedy}"


def _application(status: Status, health: str, *, only_ping_outside: bool) -> web.Application:
    async def ping(_request: web.Request) -> web.Response:
        return web.Response(status=status.ping)

    async def show(request: web.Request) -> web.Response:
        if only_ping_outside and not _is_loopback(request.remote or ""):
            raise web.HTTPNotFound
        wanted = request.query.get("wait")
        if wanted is None:
            return web.json_response(status.standing.as_json())
        try:
            phase = Phase(wanted.upper())
            timeout = float(request.query.get("timeout", "60"))
        except ValueError:
            timeout = math.nan
        if not 0 <= timeout <= _WAIT_MOST:
            known = ", ".join(phase.lower() for phase in Phase)
            message = f"wait takes one of {known}; timeout takes seconds up to {_WAIT_MOST:.0f}"
            return web.json_response({"error": message}, status=400)
        reached = await status.wait_for(phase, timeout)
        return web.json_response(status.standing.as_json(), status=200 if reached else 408)

    async def metrics(request: web.Request) -> web.Response:
        if only_ping_outside and not _is_loopback(request.remote or ""):
            raise web.HTTPNotFound
        return web.Response(text=status.as_prometheus(), content_type="text/plain")

    application = web.Application()
    application.add_routes([web.get(path, ping) for path in sorted({"/ping", health})])
    application.add_routes([web.get("/status", show), web.get("/metrics", metrics)])
    return application


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
