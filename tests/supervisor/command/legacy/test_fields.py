"""Old names that are fields of one JSON option now."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from supervisor.command import plan
from tests.supervisor.command.legacy.old_names import flag, made
from tests.supervisor.command.test_translate import catalog


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


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"SPECULATIVE_METHOD": "mtp", "NUM_SPECULATIVE_TOKENS": "2"},
         {"method": "mtp", "num_speculative_tokens": 2}),
        ({"SPECULATIVE_METHOD": "ngram", "NGRAM_PROMPT_LOOKUP_MAX": "4"},
         {"method": "ngram", "prompt_lookup_max": 4}),
        ({"SPECULATIVE_METHOD": "ngram", "SPECULATIVE_MODEL": "[ngram]"}, {"method": "ngram"}),
        ({"SPECULATIVE_METHOD": "eagle", "SPECULATIVE_MODEL": "d"},
         {"method": "eagle", "model": "d"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["0.10.2", "0.32.0", "0.33.0"])
def test_the_method_is_a_field_with_or_without_a_model(
    version: str, env: dict[str, str], expected: dict[str, object]
) -> None:
    found = made(version, **env)
    assert json.loads(flag(found, "--speculative-config") or "") == expected
    assert not found.findings.warnings


def test_the_method_where_the_model_tells_it() -> None:
    (warning,) = made("0.6.2", SPECULATIVE_METHOD="ngram").findings.warnings
    assert "SPECULATIVE_MODEL" in (warning.suggestion or "")


def test_what_loses_against_the_users_own_json_is_shown_as_such() -> None:
    found = made(
        "0.32.0",
        SPECULATIVE_METHOD="ngram",
        NUM_SPECULATIVE_TOKENS="3",
        SPECULATIVE_CONFIG='{"method": "eagle", "num_speculative_tokens": 3}',
    )
    (warning,) = found.findings.warnings
    assert warning.env == "SPECULATIVE_METHOD"
    assert "SPECULATIVE_CONFIG is used" in warning.message
    effective = {row.env for row in found.findings.applied}
    assert {"NUM_SPECULATIVE_TOKENS", "SPECULATIVE_CONFIG"} <= effective
    assert "SPECULATIVE_METHOD" not in effective


def test_the_acceptance_methods_fields_of_0_8_and_0_9() -> None:
    """Its speculative configuration is read as 0.8.5 and 0.9.2 have it."""
    env = {
        "SPECULATIVE_MODEL": "d",
        "SPEC_DECODING_ACCEPTANCE_METHOD": "typical_acceptance_sampler",
        "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_THRESHOLD": "0.1",
        "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_ALPHA": "0.3",
    }
    for version in ("0.8.5", "0.9.2"):
        found = plan.make({"MODEL_NAME": "m", **env}, replace(catalog("0.10.2"), version=version))
        assert json.loads(flag(found, "--speculative-config") or "") == {
            "model": "d",
            "acceptance_method": "typical_acceptance_sampler",
            "posterior_threshold": 0.1,
            "posterior_alpha": 0.3,
        }
    later = made("0.10.2", **env).findings.warnings
    assert {each.env for each in later} == env.keys() - {"SPECULATIVE_MODEL"}


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
