"""Closes a launcher of a test, so that nothing of it is left to the next one."""

from __future__ import annotations

import asyncio

from supervisor.worker.process.launcher import Launcher
from tests.client import PATIENCE


async def closed(launcher: Launcher) -> None:
    """Wait for the processes that a worker would not wait for, and close it."""
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*launcher._asides)
    await asyncio.sleep(0)  # their pipes are closed in the next turn
    launcher.close()
