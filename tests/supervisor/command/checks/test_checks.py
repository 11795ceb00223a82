"""The checks together, on the command line as it will be."""

from __future__ import annotations

from supervisor.catalog import store
from supervisor.command import plan
from tests.supervisor.command.checks.refusals import errors, made


def test_of_what_is_said_twice_the_last_counts() -> None:
    assert errors(MAX_NUM_SEQS="0", VLLM_EXTRA_ARGS="--max-num-seqs 2") == []
    assert len(errors(MAX_NUM_SEQS="2", VLLM_EXTRA_ARGS="--max_num_seqs 0")) == 1


def test_what_is_wrong_with_its_type_is_said_once() -> None:
    assert len(errors(MAX_NUM_SEQS="none at all")) == 1
    assert len(errors(VLLM_EXTRA_ARGS="--max-num-seqs many")) == 1


def test_without_a_catalogue_common_sense_stays() -> None:
    env = {"MODEL_NAME": "m", "GPU_MEMORY_UTILIZATION": "90"}
    (error,) = plan.make(env, store.common()).findings.errors
    assert error.env == "GPU_MEMORY_UTILIZATION"
    assert plan.make(env, None).findings.errors == ()


def test_the_seed_of_an_engine_whose_options_depend_on_it() -> None:
    assert made("0.6.2").engine_env["PYTHONHASHSEED"] == "0"
    assert "PYTHONHASHSEED" not in made("0.6.2", PYTHONHASHSEED="7").engine_env
    assert "PYTHONHASHSEED" not in made("0.10.2").engine_env
