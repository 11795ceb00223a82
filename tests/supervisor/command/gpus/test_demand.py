"""What a command asks of each GPU's memory."""

from __future__ import annotations

import pytest

from supervisor.catalog import store, versions
from supervisor.command import plan
from supervisor.command.plan import NOTHING_ON_DISK
from supervisor.models.demand import GIB, Demand
from supervisor.models.placement import OnDisk


def demand(version: str = "0.33.0", disk: OnDisk = NOTHING_ON_DISK, **env: str) -> Demand | None:
    given = {"MODEL_NAME": "a/b", **env}
    return plan.make(given, versions.load(version), disk).demand


def test_the_defaults_are_those_of_the_version() -> None:
    assert demand() == Demand(share=0.92)
    assert demand("0.6.2") == Demand(share=0.9)
    assert demand(disk=OnDisk(gpus=4)) == Demand(tensor=4, share=0.92)


def test_an_engine_that_cannot_be_asked_may_use_the_largest_share() -> None:
    one = plan.make({"MODEL_NAME": "a/b"}, store.common())
    assert one.demand == Demand(share=0.92)
    defaults = {
        option.default
        for version in versions.known()
        if (option := versions.load(version).option("--gpu-memory-utilization"))
    }
    assert max(defaults) == 0.92


def test_what_is_said() -> None:
    assert demand(
        TENSOR_PARALLEL_SIZE="4", PIPELINE_PARALLEL_SIZE="2", GPU_MEMORY_UTILIZATION="0.8",
        CPU_OFFLOAD_GB="10", DTYPE="half", QUANTIZATION="fp8", LOAD_FORMAT="mistral",
    ) == Demand(4, 2, 0.8, 10 * GIB, "half", "fp8", "mistral")  # fmt: skip
    assert demand(KV_CACHE_MEMORY_BYTES="8G") == Demand(share=1.0)
    assert demand(VLLM_EXTRA_ARGS="--device-memory-utilization 0.5 -tp 2") == Demand(2, 1, 0.5)


@pytest.mark.parametrize(
    "env",
    [
        {"LOAD_FORMAT": "dummy"},
        {"LOAD_FORMAT": "bitsandbytes"},
        {"LOAD_FORMAT": "tensorizer"},
        {"ENABLE_EXPERT_PARALLEL": "true"},
        {"DATA_PARALLEL_SIZE": "2"},
        {"OFFLOAD_GROUP_SIZE": "8"},
        {"HF_OVERRIDES": '{"num_hidden_layers": 2}'},
        {"LANGUAGE_MODEL_ONLY": "true"},
    ],
)
def test_what_leaves_a_doubt(env: dict[str, str]) -> None:
    found = demand("0.33.0", NOTHING_ON_DISK, **env)
    assert found is not None
    assert len(found.doubts) == 1


@pytest.mark.parametrize(
    "env", [{"ENABLE_EXPERT_PARALLEL": "false"}, {"LOAD_FORMAT": "Safetensors"}, {"DTYPE": "auto"}]
)
def test_what_leaves_none(env: dict[str, str]) -> None:
    found = demand("0.33.0", NOTHING_ON_DISK, **env)
    assert found is not None
    assert found.doubts == ()


def test_what_cannot_be_told() -> None:
    assert demand(disk=OnDisk(configured=frozenset({"tensor-parallel-size"}))) is None
    assert demand(disk=OnDisk(configured=frozenset({"seed"}))) is not None
    assert demand(VLLM_EXTRA_ARGS="--gpu-memory-utilization=much") is None
    assert demand(VLLM_EXTRA_ARGS="--gpu-memory-utilization=0") is None
    assert demand(VLLM_EXTRA_ARGS="--cpu-offload-gb=-1") is None
    assert demand(VLLM_EXTRA_ARGS="--tensor-parallel-size=x") is None
    assert plan.make({"MODEL_NAME": "a/b"}, None).demand is None
