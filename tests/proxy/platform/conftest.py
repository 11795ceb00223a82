"""Fixtures for the tests of what lies between the handler and the platform."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.proxy.platform.fakes import Reported


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
def reported() -> Iterator[Reported]:
    one = Reported()
    yield one
    one.close()
