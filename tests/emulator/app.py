"""Puts the faces together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from tests.emulator import control, openai, public, worker
from tests.emulator.queue import Queue
from tests.emulator.settings import Settings
from tests.emulator.webhook import Webhooks
from tests.emulator.world import WORLD, World

#: Bytes of a request's first line: the SDK's ping names every job in hand, hundreds of them.
_LINE_MOST = 1 << 16


@dataclass(frozen=True)
class Listening:
    """Where it listens, and what it keeps."""

    port: int
    world: World


def application(settings: Settings) -> web.Application:
    """The whole emulator, for `serving`."""
    prefix = f"/v2/{settings.endpoint}"
    made = web.Application(client_max_size=0)  # each handler has its own limit
    webhooks = Webhooks()
    made[WORLD] = World(settings, Queue(webhooks.ended))
    made.add_routes(worker.routes(prefix))
    made.add_routes(public.routes(prefix))
    made.add_routes(control.routes())
    made.router.add_route("*", f"{prefix}/openai/{{route:.*}}", openai.relay)
    made.cleanup_ctx.append(_watch_for_lost_workers)
    made.cleanup_ctx.append(webhooks.end_with)
    return made


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Listening]:
    """The emulator while it listens; port 0 is any free one. Raises OSError where it cannot."""
    # A client that goes away ends its handler: a job of a closed poll goes back at once.
    made = application(settings)
    runner = web.AppRunner(
        made,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=0.1,
        max_line_size=_LINE_MOST,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield Listening(runner.addresses[0][1], made[WORLD])
    finally:
        await runner.cleanup()


async def _watch_for_lost_workers(made: web.Application) -> AsyncIterator[None]:
    world = made[WORLD]

    async def watch() -> None:
        while True:
            await asyncio.sleep(min(1.0, world.settings.worker_lost / 4))
            world.lose_silent_workers()

    task = asyncio.create_task(watch())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
