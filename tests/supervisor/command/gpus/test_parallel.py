"""Among how many GPUs a model is divided."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from supervisor.catalog import options, versions
from supervisor.command import plan
from supervisor.command.plan import Plan
from supervisor.models.placement import OnDisk
from tests.processes import CATALOG

LLAMA = {"num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336}


def made(gpus: int, config: Mapping[str, Any] = MappingProxyType({}), **env: str) -> Plan:
    disk = OnDisk(gpus=gpus, config=config)
    return plan.make({"MODEL_NAME": "org/name", **env}, options.load(CATALOG), disk)


def test_all_gpus_are_used_where_nothing_is_said() -> None:
    one = made(4)
    assert one.value("--tensor-parallel-size") == "4"
    assert "--tensor-parallel-size=4" in one.command
    (row,) = [row for row in one.findings.applied if row.env == "TENSOR_PARALLEL_SIZE"]
    assert (row.value, row.flag, row.source) == ("4", "--tensor-parallel-size", "worker")
    assert row.note == "not set: the 4 GPUs of this machine"
    assert one.findings.warnings == ()


@pytest.mark.parametrize("gpus", [0, 1])
def test_one_gpu_is_nothing_to_divide(gpus: int) -> None:
    assert made(gpus).value("--tensor-parallel-size") is None
    assert made(gpus, TENSOR_PARALLEL_SIZE="1").findings.warnings == ()


@pytest.mark.parametrize("version", versions.known())
def test_every_version_takes_it(version: str) -> None:
    one = plan.make({"MODEL_NAME": "a/b"}, versions.load(version), OnDisk(gpus=2))
    assert one.value("--tensor-parallel-size") == "2"


def test_the_largest_number_that_divides_the_heads() -> None:
    one = made(6, LLAMA)
    assert one.value("--tensor-parallel-size") == "4"
    (row,) = [row for row in one.findings.applied if row.env == "TENSOR_PARALLEL_SIZE"]
    assert "4 of the 6 GPUs" in (row.note or "")
    (warning,) = one.findings.warnings
    assert warning.env == "TENSOR_PARALLEL_SIZE"
    assert warning.message.startswith("2 of the 6 GPUs stay idle: the model's 32 attention heads")
    assert "PIPELINE_PARALLEL_SIZE=6" in (warning.suggestion or "")


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"TENSOR_PARALLEL_SIZE": "1"}, "3 of the 4 GPUs stay idle: TENSOR_PARALLEL_SIZE=1"),
        ({"TENSOR_PARALLEL_SIZE": "3"}, "1 of the 4 GPUs stays idle: TENSOR_PARALLEL_SIZE=3"),
        ({"PIPELINE_PARALLEL_SIZE": "2"}, "2 of the 4 GPUs stay idle: PIPELINE_PARALLEL_SIZE=2"),
        ({"VLLM_EXTRA_ARGS": "-tp 2"}, "2 of the 4 GPUs stay idle: TENSOR_PARALLEL_SIZE=2"),
        ({"DATA_PARALLEL_SIZE": "1"}, "3 of the 4 GPUs stay idle: DATA_PARALLEL_SIZE=1"),
        ({"TENSOR_PARALLEL_SIZE": "8"}, "TENSOR_PARALLEL_SIZE=8 needs 8 GPUs"),
    ],
)
def test_what_is_said_is_obeyed_and_idle_gpus_are_named(env: dict[str, str], words: str) -> None:
    one = made(4, {}, **env)
    assert one.command.count("--tensor-parallel-size=4") == 0
    (warning,) = one.findings.warnings
    assert warning.message.startswith(words)
    assert not [row for row in one.findings.applied if "not set" in (row.note or "")]


@pytest.mark.parametrize(
    "env",
    [
        {"TENSOR_PARALLEL_SIZE": "4"},
        {"TENSOR_PARALLEL_SIZE": "2", "PIPELINE_PARALLEL_SIZE": "2"},
        {"TENSOR_PARALLEL_SIZE": "2", "VLLM_EXTRA_ARGS": "--data-parallel-size=2"},
        {"VLLM_EXTRA_ARGS": "--nnodes 2 --tensor-parallel-size 8"},
        {"VLLM_EXTRA_ARGS": "--data-parallel-size 8 --data-parallel-size-local 4"},
        {"DISTRIBUTED_EXECUTOR_BACKEND": "uni"},
    ],
)
def test_where_they_are_used_or_placed_nothing_is_said(env: dict[str, str]) -> None:
    one = made(4, {}, **env)
    assert one.findings.warnings == ()
    assert not [row for row in one.findings.applied if "not set" in (row.note or "")]


def test_devices_that_are_named_one_by_one_are_not_divided_among() -> None:
    catalog = versions.load("0.33.0")
    one = plan.make({"MODEL_NAME": "a/b", "DEVICE_IDS": "0,1"}, catalog, OnDisk(gpus=4))
    assert one.value("--tensor-parallel-size") is None
    assert one.findings.warnings == ()


def test_what_the_configuration_file_says_is_left_alone() -> None:
    disk = OnDisk(gpus=4, configured=frozenset({"tensor-parallel-size"}))
    one = plan.make({"MODEL_NAME": "a/b"}, options.load(CATALOG), disk)
    assert one.value("--tensor-parallel-size") is None
    assert one.findings.warnings == ()
