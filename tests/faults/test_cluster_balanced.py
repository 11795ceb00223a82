"""Several nodes behind a balancer, each with requests of its own: a stop of any of them."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests import client
from tests.nodes import Nodes
from tests.processes import until

SOON = 4.0  # seconds: an engine that is told to end has ended by then
LONG = {"model": "tiny", "prompt": "Hi", "max_tokens": 40, "fake": {"tokens": 40, "rate": 4}}
RUNNING = re.compile(r"^vllm:num_requests_running\{.*\} 1\.0$", re.MULTILINE)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Nodes]]:
    """Starts two that answer requests."""
    begun: list[Nodes] = []

    def start(**more: Any) -> Nodes:
        balanced: dict[str, Any] = {"DATA_PARALLEL_SIZE": "2", "DATA_PARALLEL_EXTERNAL_LB": "true"}
        begun.append(Nodes(tmp_path, 2, **balanced, **more))
        return begun[-1]

    yield start
    for nodes in begun:
        nodes.end()


@pytest.mark.parametrize(("busy", "stopped"), [(0, 1), (1, 0), (1, 1)])
def test_a_stop_waits_for_the_requests_of_every_node(
    begin: Callable[..., Nodes], busy: int, stopped: int
) -> None:
    nodes = begin()
    nodes.until_ready()
    _stop_under_a_request(nodes, busy, stopped)


@pytest.mark.parametrize("stopped", [0, 1])
def test_and_does_so_while_rank_0_starts(begin: Callable[..., Nodes], stopped: int) -> None:
    """A balancer that looks at the engine itself sends requests once that is healthy."""
    nodes = begin(each={0: {"FAKE_VLLM": "start=600"}})
    until(lambda: "ready after" in nodes.workers[1].text(), what="an engine that serves")
    _stop_under_a_request(nodes, 1, stopped)


def _stop_under_a_request(nodes: Nodes, busy: int, stopped: int) -> None:
    answers: list[httpx.Response] = []
    url = f"{nodes.workers[busy].engine_url}/v1/completions"
    asking = threading.Thread(target=lambda: answers.append(client.post(url, json=LONG)))
    asking.start()
    metrics = f"{nodes.workers[busy].engine_url}/metrics"
    until(lambda: RUNNING.search(client.get(metrics).text), what="the request")
    engines = [worker.engine_pid() for worker in nodes.workers.values()]
    nodes.workers[stopped].process.send_signal(signal.SIGTERM)
    asking.join(SOON)
    assert asking.is_alive(), "the request is in hand"
    assert all(map(psutil.pid_exists, engines)), f"it needs all of them\n{nodes.text()}"
    asking.join()
    assert [answer.status_code for answer in answers] == [200], nodes.text()
    assert nodes.codes() == [0, 0], nodes.text()
    assert not nodes.left()
