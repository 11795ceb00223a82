"""The options by which vLLM serves one model on several nodes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.catalog import options as catalogue
from supervisor.catalog import store
from supervisor.command.arguments import parse
from supervisor.command.cluster import options
from supervisor.command.cluster.node import Cluster
from supervisor.settings import read
from tests.processes import CATALOG

NODE = Cluster(2, 1, "head", 29501, None, 8002)
SETTINGS = read.read({"STARTUP_TIMEOUT": "900.4"})[0]
KNOWN = catalogue.load(CATALOG)


def test_a_follower() -> None:
    tokens, found = options.options(NODE, KNOWN, parse([], KNOWN), SETTINGS)
    assert tokens == (
        "--nnodes=2",
        "--node-rank=1",
        "--headless",
        "--master-addr=head",
        "--master-port=29501",
        "--distributed-executor-backend=mp",
        "--distributed-timeout-seconds=901",
    )
    assert {row.env: row.flag for row in found.applied} == {
        "NUM_NODES": "--nnodes",
        "NODE_RANK": "--node-rank",
        "PRIMARY_ADDR": "--master-addr",
        "PRIMARY_PORT": "--master-port",
        "DISTRIBUTED_EXECUTOR_BACKEND": "--distributed-executor-backend",
        "STARTUP_TIMEOUT": "--distributed-timeout-seconds",
    }


def test_a_rank_that_answers_requests_has_a_port_for_them() -> None:
    for one in (replace(NODE, rank=0), replace(NODE, balanced=True)):
        tokens, _ = options.options(one, KNOWN, parse([], KNOWN), SETTINGS)
        assert "--headless" not in tokens


def test_torch_gets_whole_seconds_of_a_start_and_never_0() -> None:
    tokens, _ = options.options(
        NODE, KNOWN, parse([], KNOWN), read.read({"STARTUP_TIMEOUT": "0.2"})[0]
    )
    assert [token for token in tokens if "timeout" in token] == ["--distributed-timeout-seconds=1"]


def test_of_the_configuration_file_all_but_the_node_itself() -> None:
    configured = frozenset({"distributed-timeout-seconds", "node-rank"})
    tokens, _ = options.options(NODE, KNOWN, parse([], KNOWN), SETTINGS, configured)
    flags = {token.partition("=")[0] for token in tokens}
    assert "--node-rank" in flags
    assert "--distributed-timeout-seconds" not in flags


def test_an_engine_that_was_not_asked_is_told_of_its_nodes_all_the_same() -> None:
    common = store.common()
    tokens, found = options.options(NODE, common, parse([], common), SETTINGS)
    assert {"--nnodes=2", "--node-rank=1", "--headless"} <= {*tokens}
    assert found.errors == ()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("--nnodes 3", "--nnodes 3 and NUM_NODES=2"),
        ("-n 3", "--nnodes 3 and NUM_NODES=2"),
        ("--node-rank=0", "--node-rank 0 and NODE_RANK=1"),
        ("--master-addr other", "--master-addr other and PRIMARY_ADDR=head"),
        ("--master-port 5", "--master-port 5 and PRIMARY_PORT=29400"),
    ],
)
def test_what_contradicts_the_variables(said: str, sentence: str) -> None:
    node = replace(NODE, port=29400)
    _, found = options.options(node, KNOWN, parse(said.split(), KNOWN), SETTINGS)
    (fault,) = found.errors
    flag = sentence.partition(" ")[0]
    assert fault.message == f"{sentence} exclude each other"
    assert fault.suggestion == f"leave {flag} out: the worker sets it on each node"


def test_a_rank_that_answers_requests_and_is_told_not_to() -> None:
    said = parse(["--headless"], KNOWN)
    for one in (replace(NODE, rank=0), replace(NODE, balanced=True)):
        (fault,) = options.options(one, KNOWN, said, SETTINGS)[1].errors
        assert fault.message == f"--headless and NODE_RANK={one.rank} exclude each other"


def test_what_says_the_same_as_the_variables() -> None:
    said = "--nnodes 2 --node-rank 1 --headless --master-addr [fd00::2] --master-port 5"
    node = replace(NODE, leader="fd00::2")
    assert options.options(node, KNOWN, parse(said.split(), KNOWN), SETTINGS)[1].errors == ()


def test_what_a_follower_refuses() -> None:
    said = parse(["--api-server-count=2"], KNOWN)
    assert options.refused(NODE, said) == {
        "--api-server-count": "rank 1 answers no requests itself"
    }
    assert options.refused(replace(NODE, rank=0), said) == {}
    assert options.refused(NODE, parse([], KNOWN)) == {}
