"""Numbers that vLLM's configuration refuses, by the catalogue's bounds or by common sense."""

from __future__ import annotations

import pytest

from supervisor.catalog.bounds import ANY
from supervisor.command.checks import numbers
from tests.supervisor.command.checks.refusals import errors, warnings
from tests.supervisor.command.test_translate import VERSIONS, catalog


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "wrong", "right", "said"),
    [
        ("GPU_MEMORY_UTILIZATION", "90", "1", "more than 0 and at most 1"),
        ("GPU_MEMORY_UTILIZATION", "0", "0.01", "more than 0 and at most 1"),
        ("GPU_MEMORY_UTILIZATION", "nan", "0.9", "more than 0 and at most 1"),
        ("MAX_NUM_SEQS", "0", "1", "at least 1"),
        ("TENSOR_PARALLEL_SIZE", "-1", "8", "at least 1"),
        ("CPU_OFFLOAD_GB", "-1", "0", "at least 0"),
    ],
)
def test_on_every_version(version: str, name: str, wrong: str, right: str, said: str) -> None:
    assert errors(version, **{name: wrong}) == [
        f"{name}={wrong} is out of range: it has to be {said}"
    ]
    assert errors(version, **{name: right}) == []


def test_the_catalogues_own_bounds_count() -> None:
    assert errors(KV_CACHE_METRICS_SAMPLE="2")
    assert errors(STREAM_INTERVAL="0")
    assert errors(MAX_NUM_SCHEDULED_TOKENS="0")
    assert errors(MAX_NUM_BATCHED_TOKENS="2k", MAX_NUM_SCHEDULED_TOKENS="None") == []


def test_a_context_of_minus_one_where_it_means_auto() -> None:
    assert errors("0.32.0", MAX_MODEL_LEN="-1") == []
    assert errors("0.14.1", MAX_MODEL_LEN="-1") == []
    assert len(errors("0.10.2", MAX_MODEL_LEN="-1")) == 1
    assert len(errors("0.32.0", MAX_MODEL_LEN="-2")) == 1


def test_what_is_not_looked_at_in_every_start_is_a_warning() -> None:
    """VLLM makes its LoRA configuration with adapters, its multimodal one for such models alone."""
    assert errors(MAX_LORAS="0") == []
    assert len(warnings(MAX_LORAS="0")) == 1
    assert len(errors(MAX_LORAS="0", ENABLE_LORA="true")) == 1
    assert errors(MM_PROCESSOR_CACHE_GB="-1") == []
    assert len(warnings(MM_PROCESSOR_CACHE_GB="-1")) == 1


def test_common_sense_is_no_stricter_than_what_is_known() -> None:
    known = catalog("0.32.0")
    for flag, common in numbers.COMMON.items():
        option = known.option(flag)
        if option is not None and option.bounds != ANY:
            for number in (-2, -1, 0, 0.5, 1, 1.5, 2, 100):
                whole = "int" not in option.type or number == int(number)
                assert not whole or common.admit(number) or not option.bounds.admit(number), flag
