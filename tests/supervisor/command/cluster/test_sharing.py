"""How a model is shared by the GPUs of several nodes."""

from __future__ import annotations

import pytest

from supervisor.catalog import options
from supervisor.command.arguments import parse
from supervisor.command.cluster import sharing
from supervisor.command.cluster.node import Cluster
from supervisor.findings import Findings
from supervisor.models.placement import OnDisk
from tests.processes import CATALOG

NOTHING = OnDisk()


def shared(
    said: str, size: int = 2, gpus: int = 4, disk: OnDisk = NOTHING
) -> tuple[tuple[str, ...], Findings]:
    cluster = Cluster(size, 0, "a", 1, None, 2, gpus=gpus)
    arguments = parse(said.split(), options.load(CATALOG))
    return sharing.share(cluster, arguments, disk, f"NUM_NODES={size}")


def test_where_nothing_is_said() -> None:
    tokens, found = shared("", size=3, gpus=8)
    assert tokens == ("--tensor-parallel-size=8", "--pipeline-parallel-size=3")
    assert {row.env: row.note for row in found.applied} == {
        "TENSOR_PARALLEL_SIZE": "not set: the GPUs of a node",
        "PIPELINE_PARALLEL_SIZE": "not set: the nodes",
    }


def test_a_model_that_the_gpus_of_a_node_cannot_share() -> None:
    disk = OnDisk(config={"num_attention_heads": 32, "num_key_value_heads": 8})
    tokens, found = shared("", gpus=6, disk=disk)
    assert "--tensor-parallel-size=6" in tokens
    (warning,) = found.warnings
    assert warning.message == "the model's layers cannot be shared evenly by 6 GPUs"
    assert warning.suggestion == (
        "set TENSOR_PARALLEL_SIZE=4 and PIPELINE_PARALLEL_SIZE=2 on all nodes"
    )
    assert shared("", gpus=8, disk=disk)[1].warnings == ()


def test_where_no_gpu_is_seen() -> None:
    tokens, found = shared("", gpus=0)
    (fault,) = found.errors
    assert tokens == ()
    assert f"{fault.message}; {fault.suggestion}" == (
        "NUM_NODES=2: no GPU is seen on this node; set NUM_TRAINERS, the GPUs of a node, or"
        " TENSOR_PARALLEL_SIZE"
    )
    assert shared("--tensor-parallel-size 2", gpus=0) == ((), Findings())


@pytest.mark.parametrize(
    ("said", "size", "words"),
    [
        ("-tp 4", 3, "TENSOR_PARALLEL_SIZE 4 x PIPELINE_PARALLEL_SIZE 1 x DATA_PARALLEL_SIZE 1"),
        ("-dp 5", 2, "TENSOR_PARALLEL_SIZE 1 x PIPELINE_PARALLEL_SIZE 1 x DATA_PARALLEL_SIZE 5"),
    ],
)
def test_what_cannot_be_shared_evenly(said: str, size: int, words: str) -> None:
    _, found = shared(said, size=size)
    (fault,) = found.errors
    assert fault.message == f"{words} cannot be shared evenly by {size} nodes"
    assert fault.suggestion == f"make their product a multiple of {size}"


def test_copies_that_are_asked_from_outside_and_nodes_that_are_too_few() -> None:
    """Which of the copies a node has is not to be told then."""
    _, found = shared("-dp 4 --data-parallel-external-lb")
    (fault,) = found.errors
    assert f"{fault.message}; {fault.suggestion}" == (
        "DATA_PARALLEL_SIZE 4 with DATA_PARALLEL_EXTERNAL_LB cannot be shared by 2 nodes; use a"
        " multiple of 4 nodes, or DATA_PARALLEL_HYBRID_LB instead"
    )
    for sound in (
        "-dp 2 --data-parallel-external-lb",
        "-dp 4 --data-parallel-hybrid-lb",
        "-dp 4 --data-parallel-external-lb --data-parallel-rank 1",
        "-dp 4",
    ):
        assert shared(sound)[1].errors == ()
    assert shared("-dp 2 -tp 2 --data-parallel-external-lb", size=4)[1].errors == ()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("-tp 8", None),
        ("-tp 4 -pp 2", None),
        ("-tp 2 -pp 2 -pcp 2", None),
        ("-tp 2 -pp 2", "2 of the 4 GPUs of each node stay idle: TENSOR_PARALLEL_SIZE 2"),
        ("-tp 2 -pp 3", "1 of the 4 GPUs of each node stays idle"),
        ("-tp 16", "TENSOR_PARALLEL_SIZE 16 x PIPELINE_PARALLEL_SIZE 1 x DATA_PARALLEL_SIZE 1"),
        ("-tp many", None),
    ],
)
def test_gpus_that_are_idle_or_missing(said: str, words: str | None) -> None:
    tokens, found = shared(said)
    assert tokens == ()
    assert found.errors == ()
    if words is None:
        assert found.warnings == ()
    else:
        (warning,) = found.warnings
        assert warning.message.startswith(words)


def test_what_the_configuration_file_says_is_left_alone() -> None:
    disk = OnDisk(configured=frozenset({"tensor-parallel-size"}))
    assert shared("", disk=disk) == shared("-pp 3", disk=disk) == ((), Findings())
