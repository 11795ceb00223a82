"""Several nodes, and an engine or a node that is lost while one of them is warmed up."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests import client
from tests.nodes import Nodes
from tests.processes import Worker, until

ROUTE = "/v1/completions"  # that of the first request of all is another one
COLD = "not warmed up: the engine before ended in its warm-up"
WARM = "warmed up: 1 request"
BALANCED = {"DATA_PARALLEL_SIZE": "2", "DATA_PARALLEL_EXTERNAL_LB": "true"}


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Nodes]]:
    """Starts two, whose warm-up ends once there is a file `go`."""
    begun: list[Nodes] = []

    def start(**more: Any) -> Nodes:
        body = {"prompt": "x", "fake": {"tokens": 1, "wait_for": str(tmp_path / "go")}}
        file = tmp_path / "warmup.jsonl"
        file.write_text(json.dumps({"route": ROUTE, "body": body}) + "\n")
        begun.append(Nodes(tmp_path, 2, WARMUP=str(file), WARMUP_TIMEOUT="600", **more))
        return begun[-1]

    yield start
    for nodes in begun:
        nodes.end()


def asked(worker: Worker) -> bool:
    """Whether an engine that runs has a request of a warm-up in hand."""
    try:
        return ROUTE in client.get(f"{worker.engine_url}/fake").json()
    except httpx.HTTPError:
        return False


def kill(worker: Worker) -> None:
    psutil.Process(worker.engine_pid()).kill()


def test_an_engine_of_another_node_may_have_ended_by_it(
    begin: Callable[..., Nodes], tmp_path: Path
) -> None:
    """Its requests run on all nodes: the next engines serve without, those after them are warm."""
    nodes = begin(MAX_RESTARTS="5")
    for generation in (0, 2):
        until(lambda: asked(nodes.workers[0]), what="a warm-up")
        kill(nodes.workers[1])
        assert nodes.until_ready(after=generation) == generation + 2, nodes.text()
        assert nodes.workers[0].text().count(COLD) == generation / 2 + 1
        kill(nodes.workers[1])  # which has served
    (tmp_path / "go").touch()
    nodes.until_ready(after=4)
    assert WARM in nodes.workers[0].text()


def test_it_has_no_part_in_the_loss_of_a_node(begin: Callable[..., Nodes], tmp_path: Path) -> None:
    nodes = begin()
    until(lambda: asked(nodes.workers[0]), what="a warm-up")
    lost = nodes.workers[1].process
    lost.send_signal(signal.SIGSTOP)
    until(lambda: "nothing was heard of it" in nodes.workers[0].text(), what="the loss")
    lost.send_signal(signal.SIGCONT)
    (tmp_path / "go").touch()
    nodes.until_ready()
    assert WARM in nodes.workers[0].text()
    assert COLD not in nodes.text()


def test_that_of_a_follower_may_have_ended_another_engine_too(
    begin: Callable[..., Nodes],
) -> None:
    nodes = begin(**BALANCED, MAX_RESTARTS="2")
    until(lambda: all(map(asked, nodes.workers.values())), what="both warm-ups")
    kill(nodes.workers[0])
    assert nodes.until_ready() == 2, nodes.text()
    assert [worker.text().count(COLD) for worker in nodes.workers.values()] == [1, 1]
