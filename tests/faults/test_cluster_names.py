"""Nodes that know rank 0 by a name, and a name server that is slow, silent, or has news."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import client
from tests.named import CONNECT
from tests.nodes import Nodes
from tests.processes import until

NAME = "rank0.cluster.internal"
Named = Callable[..., Nodes]


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """Their name server, which is silent."""
    file = tmp_path / "names"
    file.touch()
    return file


@pytest.fixture
def nodes(tmp_path: Path, server: Path) -> Iterator[Named]:
    """Starts two nodes that ask it."""
    all_of_them: list[Nodes] = []

    def two(**given: object) -> Nodes:
        given = {"PRIMARY_ADDR": NAME, **given}
        all_of_them.append(Nodes(tmp_path, 2, base=110, names=server, **given))  # type: ignore[arg-type]
        return all_of_them[-1]

    yield two
    for each in all_of_them:
        each.end()


def ask(cluster: Nodes, go_on: Path) -> int:
    body = {"model": "tiny", "prompt": "Hi", "max_tokens": 4, "fake": {"wait_for": str(go_on)}}
    return client.post(f"{cluster.workers[0].engine_url}/v1/completions", json=body).status_code


def test_a_name_server_that_takes_longer_than_a_connection_may(nodes: Named, server: Path) -> None:
    """As where the first of two is down."""
    server.write_text(f"127.0.9.110 {2 * CONNECT}")
    assert nodes().until_ready() == 1


def test_a_stop_is_heard_though_the_name_server_has_become_silent(
    nodes: Named, server: Path, tmp_path: Path
) -> None:
    server.write_text("127.0.9.110")
    cluster = nodes()
    cluster.until_ready()
    go_on, answers = tmp_path / "go-on", list[int]()
    asking = threading.Thread(target=lambda: answers.append(ask(cluster, go_on)))
    asking.start()
    until(lambda: client.running(cluster.workers[0].engine_url) == 1, what="a request")
    server.write_text("")
    cluster.workers[1].process.send_signal(signal.SIGTERM)
    until(lambda: (cluster.status(0) or {}).get("state") == "DRAINING", what="the drain")
    go_on.touch()
    assert cluster.codes() == [0, 0]
    asking.join()
    assert answers == [200]


def test_engines_start_anew_though_the_name_server_has_become_silent(
    nodes: Named, server: Path
) -> None:
    server.write_text("127.0.9.110")
    cluster = nodes(MAX_RESTARTS="100")
    generation = cluster.until_ready()
    server.write_text("")
    os.kill(cluster.workers[1].engine_pid(), signal.SIGKILL)
    cluster.until_ready(after=generation)


def test_a_node_says_that_no_name_server_answers_and_ends_when_it_is_asked_to(
    nodes: Named,
) -> None:
    cluster = nodes(without=[0])
    said = f"no name server has answered yet where {NAME} is"
    until(lambda: said in cluster.text(), what="a word about it")
    cluster.workers[1].process.send_signal(signal.SIGTERM)
    assert cluster.codes() == [0]


def test_a_name_that_nobody_knows_is_told(nodes: Named, server: Path) -> None:
    server.write_text("?")
    cluster = nodes(without=[0], STARTUP_TIMEOUT="4")
    assert cluster.codes() == [71]
    why = f"the name {NAME} cannot be resolved (Name or service not known)"
    assert f"did not answer for 4 s: {why}" in cluster.text()


def test_rank_0_may_have_moved(nodes: Named, server: Path) -> None:
    server.write_text("127.0.9.110")
    cluster = nodes(MAX_RESTARTS="100")
    generation = cluster.until_ready()
    cluster.workers[0].process.kill()
    cluster.workers[0].process.wait()
    server.write_text("127.0.9.120")
    cluster.start(0, NODE_ADDR="127.0.9.120")
    assert cluster.until_ready(after=generation) > generation
