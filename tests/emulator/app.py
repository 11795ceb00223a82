"""Puts the faces together."""

from __future__ import annotations

from aiohttp import web

from tests.emulator import control, openai, public, worker
from tests.emulator.settings import WORLD, Settings, World


def application(settings: Settings) -> web.Application:
    """The whole emulator."""
    prefix = f"/v2/{settings.endpoint}"
    made = web.Application(client_max_size=64 * 1024**2)
    made[WORLD] = World(settings)
    made.add_routes(public.routes(prefix))
    made.add_routes(worker.routes(prefix))
    made.add_routes(control.routes())
    made.router.add_route("*", f"{prefix}/openai/{{route:.*}}", openai.relay)
    made.cleanup_ctx.append(worker.watch_for_lost)
    return made
