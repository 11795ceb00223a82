"""What `explain` shows of one node and of several."""

from __future__ import annotations

import argparse
import json

import pytest

from supervisor import explaining
from supervisor.__main__ import main
from supervisor.catalog import versions
from supervisor.command import explain
from supervisor.errors import SupervisorError
from tests.processes import CATALOG

ENV = {"MODEL_NAME": "org/name", "CLUSTER_TOKEN": "a-secret-of-theirs", "VLLM_API_KEY": "a-key"}
SHARED = [each for each in versions.known() if versions.load(each).option("--nnodes")]


def make(version: str | None = "0.33.0") -> explaining.Make:
    return explaining.by(version, None, (), pytest.fail)


def test_one_node() -> None:
    made = make()(ENV)
    assert made.cluster is None
    assert "--nnodes" not in " ".join(made.command)
    by_file = explaining.by(None, CATALOG, ("--seed", "7"), pytest.fail)(ENV)
    assert by_file.command[-2:] == ("--seed", "7")


def test_a_version_that_is_not_known() -> None:
    with pytest.raises(SupervisorError, match=r"0\.1 are not known"):
        make("0.1")


@pytest.mark.parametrize("version", SHARED)
def test_each_of_several_nodes(version: str) -> None:
    nodes = explaining.nodes({**ENV, "NUM_TRAINERS": "8"}, 3, make(version))
    assert [node.cluster and node.cluster.rank for node in nodes] == [0, 1, 2]
    assert nodes[0].findings.errors == ()
    assert nodes[0].findings.warnings == ()
    shown = explain.as_json(nodes[0], nodes=nodes)["nodes"]
    assert [(node["rank"], node["role"]) for node in shown] == [
        (0, "leader"),
        (1, "follower"),
        (2, "follower"),
    ]
    for rank, node in enumerate(shown):
        assert node.keys() == {"rank", "role", "command", "engine_env"}
        assert f"--node-rank={rank}" in node["command"]
        assert "--pipeline-parallel-size=3" in node["command"]
        assert node["engine_env"]["VLLM_HOST_IP"] == f"ADDRESS_OF_RANK_{rank}"
        assert node["engine_env"]["NCCL_SOCKET_IFNAME"] == f"=INTERFACE_OF_RANK_{rank}"
    assert "a-secret-of-theirs" not in json.dumps(shown)


def test_what_is_wrong_is_told_once() -> None:
    nodes = explaining.nodes({**ENV, "TENSOR_PARALLEL_SIZE": "4"}, 3, make())
    (fault,) = nodes[0].findings.errors
    assert "cannot be shared evenly by 3 nodes" in fault.message


def test_the_text_has_the_command_of_each() -> None:
    nodes = explaining.nodes({**ENV, "NUM_TRAINERS": "2"}, 2, make())
    text = explain.as_text(nodes[0], nodes=nodes)
    head, _, follower = text.partition("command of rank 1, the follower\n")
    assert "command of rank 0, the leader\n" in head
    assert "--headless" not in head
    assert "--headless" in follower
    assert "VLLM_HOST_IP=ADDRESS_OF_RANK_1" in follower


def test_on_the_command_line(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path_factory.mktemp("explained") / ".env"
    file.write_text("MODEL_NAME=org/name\nNUM_TRAINERS=8\n", encoding="utf-8")
    command = ["explain", "--vllm", "0.33.0", "--env-file", str(file)]
    assert main([*command, "--json"]) == 0
    assert "nodes" not in json.loads(capsys.readouterr().out)
    assert main([*command, "--json", "--nodes", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["nodes"]) == 2


@pytest.mark.parametrize("text", ["1", "two", "-2", ""])
def test_no_number_of_nodes(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no number of nodes from 2 to 1024"):
        explaining.node_count(text)
