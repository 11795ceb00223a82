"""Old names that are fields of one JSON option now."""

from __future__ import annotations

import json

import pytest

from tests.supervisor.command.legacy.old_names import flag, made


@pytest.mark.parametrize("version", ["0.10.2", "0.14.1", "0.32.0", "0.33.0"])
def test_fields_of_speculative_decoding_are_one_object(version: str) -> None:
    found = made(
        version,
        SPECULATIVE_MODEL="draft",
        NUM_SPECULATIVE_TOKENS="3",
        SPECULATIVE_MAX_MODEL_LEN="0",
    )
    assert json.loads(flag(found, "--speculative-config") or "") == {
        "model": "draft",
        "num_speculative_tokens": 3,
    }
    assert [ignored.env for ignored in found.findings.ignored] == ["SPECULATIVE_MAX_MODEL_LEN"]
    settings = {s.env: s.flag for s in found.findings.applied if s.source == "legacy"}
    assert settings == dict.fromkeys(
        ("SPECULATIVE_MODEL", "NUM_SPECULATIVE_TOKENS"), "--speculative-config"
    )


def test_the_users_own_json_wins() -> None:
    found = made(
        "0.32.0",
        SPECULATIVE_MODEL="old",
        NUM_SPECULATIVE_TOKENS="3",
        SPECULATIVE_CONFIG='{"model": "new", "method": "eagle"}',
    )
    assert json.loads(flag(found, "--speculative-config") or "") == {
        "model": "new",
        "num_speculative_tokens": 3,
        "method": "eagle",
    }


def test_ngram_is_a_method_without_a_model() -> None:
    found = made("0.32.0", SPECULATIVE_MODEL="[ngram]", NGRAM_PROMPT_LOOKUP_MAX="4")
    assert json.loads(flag(found, "--speculative-config") or "") == {
        "method": "ngram",
        "prompt_lookup_max": 4,
    }


def test_a_part_of_speculative_decoding_alone_is_said_to_have_no_effect() -> None:
    found = made("0.32.0", NUM_SPECULATIVE_TOKENS="3")
    assert flag(found, "--speculative-config") is None
    assert [w.env for w in found.findings.warnings] == ["NUM_SPECULATIVE_TOKENS"]


def test_rope_is_merged_into_the_overrides() -> None:
    found = made(
        "0.32.0",
        ROPE_SCALING='{"type": "dynamic", "factor": 2.0}',
        ROPE_THETA="500000",
        HF_OVERRIDES='{"a": 1, "rope_parameters": {"factor": 4.0}}',
    )
    assert json.loads(flag(found, "--hf-overrides") or "") == {
        "a": 1,
        "rope_parameters": {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 500000.0},
    }
    old = made("0.10.2", ROPE_THETA="500000")
    assert flag(old, "--rope-theta") == "500000"


@pytest.mark.parametrize("name", ["ROPE_SCALING", "NUM_SPECULATIVE_TOKENS"])
def test_a_wrong_field_is_named(name: str) -> None:
    (error,) = made("0.32.0", **{name: "many"}).findings.errors
    assert error.env == name
    assert error.message.startswith(f"{name}=many is not ")


def test_a_field_that_later_versions_dropped() -> None:
    name = {"SPECULATIVE_DISABLE_BY_BATCH_SIZE": "8", "SPECULATIVE_MODEL": "d"}
    old = json.loads(flag(made("0.14.1", **name), "--speculative-config") or "")
    assert old == {"model": "d", "disable_by_batch_size": 8}
    new = made("0.32.0", **name)
    assert json.loads(flag(new, "--speculative-config") or "") == {"model": "d"}
    assert [w.env for w in new.findings.warnings] == ["SPECULATIVE_DISABLE_BY_BATCH_SIZE"]


@pytest.mark.parametrize(
    "env",
    [
        {"SPECULATIVE_CONFIG": "[1]", "SPECULATIVE_MODEL": "x"},
        {"HF_OVERRIDES": "foo.bar", "ROPE_THETA": "10000"},
        {"GUIDED_DECODING_BACKEND": "xgrammar", "STRUCTURED_OUTPUTS_CONFIG": '"xgrammar"'},
    ],
)
def test_what_cannot_be_merged_is_an_error(env: dict[str, str]) -> None:
    assert made("0.32.0", **env).findings.errors
