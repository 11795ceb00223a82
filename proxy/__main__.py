"""`python -m proxy`: takes jobs from the platform and relays them to a running engine."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncGenerator
from typing import Any

import uvloop

from proxy.engine import Engine
from proxy.handler import Handler
from proxy.settings import JOBS_FD, REPORT_FD, ProxyConfigurationError, Settings, read
from supervisor.link.figures import Figures
from supervisor.link.report import Report, left
from supervisor.settings.table import MAX_CONCURRENCY

log = logging.getLogger("proxy")


def main() -> int:
    """Run until told to stop.

    Returns:
        The exit code: 0 after a stop, 78 for a setting that cannot be carried out.
    """
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format="%(asctime)s %(levelname)s proxy: %(message)s",
        datefmt="%H:%M:%S",
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = read(os.environ)
    except ProxyConfigurationError as reason:
        log.error("%s", reason)  # noqa: TRY400 - a sentence for the user
        return 78
    _quiet_sdk()
    from proxy.platform import fitness, sdk

    report = Report(settings[REPORT_FD])
    fitness.register(settings, report.cause)
    _tune()
    try:
        sdk.serve(_Relay(settings), settings[MAX_CONCURRENCY], report, left(settings[JOBS_FD]))
    except KeyboardInterrupt:
        return 130
    return 0


class _Relay:
    """The handler as the SDK wants it, an async generator function, with what it needs.

    The engine's session belongs to the event loop, which the SDK makes.
    """

    def __init__(self, settings: Settings) -> None:
        self.figures = Figures()
        self._settings = settings
        self._engine: Engine | None = None
        self._handler: Handler | None = None

    async def open(self) -> None:
        """Make what belongs to the event loop."""
        self._engine = Engine(self._settings)
        self._handler = Handler(self._settings, self._engine, figures=self.figures)

    async def handler(self, job: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """Answer one job."""
        if self._handler is None:  # an SDK that is left as it is does not open us
            await self.open()
        if self._handler is not None:
            async for output in self._handler(job):
                yield output

    async def until_given_up(self) -> str:
        """Wait until the supervisor gives the engine up; why."""
        if self._engine is None or self._settings.control_url is None:
            await asyncio.Event().wait()
            return ""
        return await self._engine.until_given_up()

    async def close(self) -> None:
        """Close the engine's session."""
        if self._engine is not None:
            await self._engine.close()


def _tune() -> None:
    """Make the process cheaper and its pauses shorter, once everything is imported.

    With the SDK and what it brings, hundreds of thousands of objects live as long as the process;
    to look through them again and again stops every stream for tens of milliseconds. And uvloop's
    event loop costs a tenth less for a token than asyncio's own.
    """
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _quiet_sdk() -> None:
    """Defaults for the SDK; what the user has set stands.

    At its default level it prints every chunk of every answer. Its own checks open a CUDA context
    on every GPU, beside an engine that needs the memory.
    """
    os.environ.setdefault("RUNPOD_LOG_LEVEL", "WARN")
    os.environ.setdefault("RUNPOD_SKIP_GPU_CHECK", "true")
    os.environ.setdefault("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS", "true")


if __name__ == "__main__":
    sys.exit(main())
