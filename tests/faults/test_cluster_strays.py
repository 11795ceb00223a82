"""Nodes that are not what they should be, beside a cluster that serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.nodes import Nodes
from tests.processes import until


@pytest.fixture
def cluster(tmp_path: Path, platform: Platform) -> Iterator[Nodes]:
    """Two nodes in queue mode that serve."""
    takes_jobs = worker_environment(platform.root)
    two = Nodes(tmp_path, 2, base=80, each={0: takes_jobs, 1: takes_jobs})
    try:
        two.until_ready()
        yield two
    finally:
        two.end()


@pytest.fixture
def without_one(cluster: Nodes) -> Nodes:
    """The same with rank 1 gone, which is awaited."""
    cluster.workers[1].process.kill()
    cluster.workers[1].process.wait()
    until(lambda: (cluster.status(0) or {}).get("missing") == [1], what="the end of rank 1")
    return cluster


@pytest.mark.parametrize(
    "wrong",
    [
        {"NODE_RANK": "2"},
        {"NODE_RANK": ""},
        {"NODE_RANK": "1", "PRIMARY_ADDR": ""},
        {"NODE_RANK": "0"},
        {"NODE_RANK": "0", "NODE_ADDR": "", "PRIMARY_ADDR": "192.0.2.7"},
    ],
)
def test_a_node_that_cannot_start_fails_no_jobs_of_those_that_serve(
    cluster: Nodes, platform: Platform, wrong: dict[str, str]
) -> None:
    as_another = worker_environment(platform.root, worker_id="stray")
    stray = cluster.start(1, **{**as_another, "NODE_ADDR": "127.0.9.99", **wrong})
    jobs = [platform.submit({"prompt": "Hi", "max_tokens": 3}) for _ in range(20)]
    assert stray.wait() == 78
    assert platform.polls("stray") == []
    for job in jobs:
        platform.until(job, "COMPLETED")


def test_a_node_of_another_cluster_leaves_one_alone_that_awaits_a_node(without_one: Nodes) -> None:
    for stray in (
        {"NUM_NODES": "3", "NODE_RANK": "2"},
        {"NUM_NODES": "3"},
    ):
        assert without_one.start(1, NODE_ADDR="127.0.9.150", **stray).wait() == 78
    assert "a node was sent away: " in without_one.workers[0].text()
    without_one.start(1)
    without_one.until_ready(after=1)


def test_a_node_with_other_settings_in_an_awaited_place_ends_all(without_one: Nodes) -> None:
    without_one.start(1, MODEL_NAME="another")
    assert without_one.codes() == [78, 78]
    assert "set MODEL_NAME alike" in without_one.workers[0].text()
