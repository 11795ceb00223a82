"""A stop behind a load balancer, which knows of it only by its next look."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import httpx

from tests import client
from tests.client import PATIENCE
from tests.conftest import Start
from tests.processes import Worker, free_port, until

LOOK_EVERY = 5.0  # seconds, as the platform's balancer
RATE = 50  # requests/s
BODY = {"model": "tiny", "prompt": "x", "fake": {"tokens": 4, "rate": 20}}


class Balancer:
    """Looks at /ping now and then, and sends requests to the worker while its last look was good.

    A request that it has nobody for waits, as the platform lets it.
    """

    def __init__(self, worker: Worker, http: httpx.AsyncClient) -> None:
        self._ping = f"http://127.0.0.1:{worker.control_port}/healthz"
        self._engine = f"{worker.engine_url}/v1/completions"
        self._http = http
        self.routes = False
        self.answers: list[int | str] = []

    async def look(self) -> None:
        """Look for ever."""
        while True:
            try:
                self.routes = (await self._http.get(self._ping)).status_code == 200
            except httpx.HTTPError:
                self.routes = False
            await asyncio.sleep(LOOK_EVERY)

    async def send(self) -> None:
        """One request."""
        try:
            answer = await self._http.post(self._engine, json=BODY)
        except httpx.HTTPError as reason:
            self.answers.append(repr(reason))
        else:
            self.answers.append(answer.status_code)


@contextlib.asynccontextmanager
async def balanced(worker: Worker) -> AsyncIterator[Balancer]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    async with (
        httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE, limits=limits) as http,
        asyncio.TaskGroup() as group,
    ):
        one = Balancer(worker, http)
        looking = group.create_task(one.look())
        yield one
        looking.cancel()


async def test_no_request_is_refused_at_a_stop(start: Start) -> None:
    """From the signal to the balancer's next look requests come as before."""
    port = free_port()
    worker = start(
        WORKER_MODE="load-balancer",
        PORT=str(port),
        VLLM_PORT="",
        HEALTH_CHECK_PATH="/healthz",
    )
    worker.engine_port = port
    await asyncio.to_thread(worker.until_ready)
    async with balanced(worker) as balancer, asyncio.timeout(PATIENCE):
        while not balancer.routes:
            await asyncio.sleep(0.01)
        async with asyncio.TaskGroup() as requests:
            sent = after_the_signal = 0
            while balancer.routes:
                requests.create_task(balancer.send())
                sent += 1
                if sent == RATE:
                    os.kill(worker.process.pid, signal.SIGTERM)
                after_the_signal += sent > RATE
                await asyncio.sleep(1 / RATE)
        assert balancer.answers == [200] * sent
        assert worker.process.poll() is None, "it still serves"
        assert await asyncio.to_thread(worker.ping) == 503
    assert after_the_signal, "the balancer knew of it at once: this tells nothing"
    assert await asyncio.to_thread(worker.wait) == 0
    assert worker.left() == []


def test_a_second_signal_does_not_wait_for_the_balancer(start: Start) -> None:
    worker = start(DRAIN_DELAY="3600")
    worker.until_ready()
    worker.process.send_signal(signal.SIGTERM)
    until(lambda: worker.ping() == 503, what="the balancer's sign")
    assert client.post(f"{worker.engine_url}/v1/completions", json=BODY).status_code == 200
    assert worker.stop() == 0
    assert worker.left() == []
