"""What takes the place of a model's own rotary embeddings, for each way in which it says them."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.command.legacy.rotary import overrides

OLD = {"max_position_embeddings": 4096, "rope_theta": 5e5}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
YARN = {"rope_type": "yarn", "factor": 4.0}
GIVEN = {"ROPE_SCALING": "x"}


def parameters(said: dict[str, Any], config: dict[str, Any], **given: str) -> Any:
    made = overrides(said, given, config, "0.20.2")
    assert not made.findings.errors
    return made.fields["rope_parameters"]


@pytest.mark.parametrize(
    "config",
    [
        OLD,
        {"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "x", "rope_theta": 5e5}},
        {**OLD, "rope_scaling": {"type": "linear", "factor": 9.0}},
        {**OLD, "rope_scaling": None},
    ],
)
def test_a_scaling_replaces_the_models_own_and_keeps_its_theta(config: dict[str, Any]) -> None:
    found = parameters({"type": "linear", "factor": 2.0}, config, ROPE_SCALING="x")
    assert found == {"rope_type": "linear", "factor": 2.0, "rope_theta": 5e5}


@pytest.mark.parametrize("config", [{**OLD, "rope_scaling": LLAMA3}, {"rope_parameters": LLAMA3}])
def test_a_theta_alone_keeps_the_models_scaling(config: dict[str, Any]) -> None:
    found = parameters({"rope_theta": 7.0}, config, ROPE_THETA="7")
    assert found == {**LLAMA3, "rope_theta": 7.0}


def test_a_theta_alone_is_of_the_default_type() -> None:
    assert parameters({"rope_theta": 7.0}, OLD, ROPE_THETA="7") == {
        "rope_type": "default",
        "rope_theta": 7.0,
    }
    unseen = overrides({"rope_theta": 7.0}, {"ROPE_THETA": "7"}, {}, "0.32.0")
    assert unseen.fields["rope_parameters"] == {"rope_type": "default", "rope_theta": 7.0}
    assert [each.env for each in unseen.findings.warnings] == ["ROPE_THETA"]


def test_a_config_from_before_the_field_has_the_theta_of_its_time() -> None:
    found = parameters({"type": "linear", "factor": 2.0}, {"hidden_size": 8}, ROPE_SCALING="x")
    assert found["rope_theta"] == 10000.0


def test_a_part_of_the_head_that_is_not_rotated_stays_so() -> None:
    config = {**OLD, "partial_rotary_factor": 0.5}
    assert parameters({"rope_theta": 7.0}, config)["partial_rotary_factor"] == 0.5
    config = {**OLD, "rotary_pct": 0.25}
    assert parameters({**YARN}, config, **GIVEN)["partial_rotary_factor"] == 0.25


@pytest.mark.parametrize(
    ("positions", "raised"), [(4096, 16384), (40960, None)], ids=["raised", "long enough"]
)
def test_yarn_starts_from_the_models_length_and_raises_it(
    positions: int, raised: int | None
) -> None:
    said = {**YARN, "original_max_position_embeddings": 4096}
    made = overrides(said, GIVEN, {**OLD, "max_position_embeddings": positions}, "0.32.0")
    assert made.fields.get("max_position_embeddings") == raised
    made = overrides(YARN, GIVEN, OLD, "0.32.0")
    assert made.fields["rope_parameters"]["original_max_position_embeddings"] == 4096


def test_yarn_without_a_length_asks_for_it() -> None:
    made = overrides({**YARN, "rope_theta": 1.0}, GIVEN, {}, "0.32.0")
    (error,) = made.findings.errors
    assert "original_max_position_embeddings" in error.message


def test_a_model_with_a_part_for_texts_is_changed_there() -> None:
    made = overrides({"type": "linear", "factor": 2.0}, GIVEN, {"text_config": OLD}, "0.32.0")
    assert made.fields["text_config"]["rope_parameters"]["rope_theta"] == 5e5


def test_a_model_with_two_kinds_of_layers_is_changed_for_global_attention() -> None:
    local = {"rope_type": "default", "rope_theta": 1e4}
    by_layer = {
        "full_attention": {"rope_type": "default", "rope_theta": 1e6},
        "sliding_attention": local,
    }
    for config in (
        {"rope_parameters": by_layer},
        {"rope_theta": 1e6, "rope_local_base_freq": 1e4},
    ):
        found = parameters({"type": "linear", "factor": 8.0}, config, ROPE_SCALING="x")
        assert found["sliding_attention"] == local
        assert found["full_attention"] == {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}


def test_a_dynamic_scaling_without_a_length_is_said_to_reach_no_further() -> None:
    said = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1.0}
    made = overrides(said, GIVEN, {}, "0.32.0")
    assert [each.env for each in made.findings.warnings] == ["ROPE_SCALING"]
    assert not overrides(said, GIVEN, {}, "0.20.2").findings.warnings
    known = overrides({**said, "original_max_position_embeddings": 100}, GIVEN, {}, "0.32.0")
    assert known.longest == 200
