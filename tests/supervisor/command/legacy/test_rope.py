"""ROPE_SCALING and ROPE_THETA where they are a part of HF_OVERRIDES."""

from __future__ import annotations

import json
from typing import Any

import pytest

from supervisor.command.plan import Plan
from tests.supervisor.command.legacy.old_names import flag, made, unseen

DYNAMIC = '{"rope_type": "dynamic", "factor": 2.0}'
YARN = '{"rope_type": "yarn", "factor": 4.0}'
LATER = ["0.14.1", "0.27.1", "0.32.0", "0.33.0"]


def overridden(found: Plan) -> Any:
    return json.loads(flag(found, "--hf-overrides") or "null")


def test_an_option_of_its_own_is_used_where_there_is_one() -> None:
    found = made("0.10.2", ROPE_THETA="500000", ROPE_SCALING=DYNAMIC)
    assert flag(found, "--rope-theta") == "500000"
    assert flag(found, "--rope-scaling") == DYNAMIC
    assert overridden(found) is None


@pytest.mark.parametrize("version", LATER)
def test_the_models_theta_stays(version: str) -> None:
    found = made(version, ROPE_SCALING=YARN)
    assert overridden(found)["rope_parameters"]["rope_theta"] == 500000.0
    (row,) = (row for row in found.findings.applied if row.flag == "--hf-overrides")
    assert "from the model's config.json" in (row.note or "")


@pytest.mark.parametrize("version", LATER)
def test_a_theta_that_nobody_knows_is_asked_for(version: str) -> None:
    (error,) = unseen(version, ROPE_SCALING=DYNAMIC).findings.errors
    assert error.env == "ROPE_SCALING"
    assert "ROPE_THETA" in (error.suggestion or "")
    reach = YARN.replace("}", ', "original_max_position_embeddings": 8}')
    given = unseen(version, ROPE_SCALING=reach, ROPE_THETA="20000")
    assert not given.findings.errors
    assert overridden(given)["rope_parameters"]["rope_theta"] == 20000.0
    own = unseen(version, ROPE_SCALING=DYNAMIC, HF_OVERRIDES='{"rope_parameters":{"rope_theta":3}}')
    assert not own.findings.errors


def test_what_the_user_says_of_it_wins_in_each_form() -> None:
    for own in (
        {"rope_parameters": {"factor": 4.0}},
        {"rope_scaling": {"factor": 4.0}},
        {"text_config": {"rope_scaling": {"factor": 4.0}}},
    ):
        found = overridden(made("0.14.1", ROPE_SCALING=DYNAMIC, HF_OVERRIDES=json.dumps(own)))
        assert found["rope_parameters"]["factor"] == 4.0
        assert "rope_scaling" not in str(found)


@pytest.mark.parametrize("version", ["0.27.1", "0.32.0"])
def test_a_dynamic_scaling_reaches_its_length_and_no_more(version: str) -> None:
    """VLLM knows the positions of the model alone, and would allow twice as many tokens."""
    found = made(version, ROPE_SCALING=DYNAMIC)
    assert overridden(found) == {
        "rope_parameters": {
            "rope_type": "dynamic",
            "factor": 2.0,
            "rope_theta": 500000.0,
            "max_trained_positions": 4096,
        },
        "max_position_embeddings": 8192,
    }
    assert flag(found, "--max-model-len") == "8192"
    shorter = made(version, ROPE_SCALING=DYNAMIC, MAX_MODEL_LEN="6000")
    assert flag(shorter, "--max-model-len") == "6000"
    (error,) = made(version, ROPE_SCALING=DYNAMIC, MAX_MODEL_LEN="9000").findings.errors
    assert error.env == "MAX_MODEL_LEN"
    assert "8192" in error.message


def test_a_wrong_json_is_named_alone() -> None:
    (error,) = made("0.32.0", ROPE_SCALING="many").findings.errors
    assert error.message.startswith("ROPE_SCALING=many is not ")


@pytest.mark.parametrize("version", LATER)
@pytest.mark.parametrize("key", ["rope_parameters", "rope_scaling"])
def test_rope_parameters_of_the_user_that_lose_the_models_theta(version: str, key: str) -> None:
    (warning,) = unseen(version, HF_OVERRIDES=f'{{"{key}": {YARN}}}').findings.warnings
    assert warning.env == "HF_OVERRIDES"
    assert "have no rope_theta" in warning.message
    assert (warning.suggestion or "").startswith("set ROPE_SCALING to them")
    assert not unseen("0.10.2", HF_OVERRIDES=f'{{"{key}": {YARN}}}').findings.warnings


@pytest.mark.parametrize(
    "own",
    [
        '{"rope_parameters": {"rope_type": "linear", "factor": 2, "rope_theta": 5}}',
        '{"rope_parameters": {"full_attention": {"rope_type": "default"}}}',
        '{"num_hidden_layers": 1}',
    ],
)
def test_nothing_is_said_of_other_overrides(own: str) -> None:
    assert not unseen("0.32.0", HF_OVERRIDES=own).findings.warnings
