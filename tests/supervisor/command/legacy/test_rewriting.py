"""Every old name on every version: carried over, or named with its reason and remedy."""

from __future__ import annotations

import pytest

from tests.supervisor.command.legacy.old_names import OLD_NAMES, flag, made
from tests.supervisor.command.test_translate import VERSIONS

GUESSING = ("SPECULATIVE_METHOD", "NGRAM_PROMPT_LOOKUP_MAX")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OLD_NAMES)
def test_no_old_name_is_lost(version: str, name: str) -> None:
    """Set alone, each takes effect, or is named in a warning or as ignored; never an error.

    But those that guess tokens, which no engine does without their number.
    """
    number = {"NUM_SPECULATIVE_TOKENS": "3"} if name in GUESSING else {}
    found = made(version, **number, **{name: OLD_NAMES[name]})
    findings = found.findings
    assert not findings.errors
    effective = {row.env for row in findings.applied}
    named = {w.env for w in findings.warnings} | {i.env for i in findings.ignored}
    assert name in effective | named
    for warning in findings.warnings:
        assert warning.suggestion


@pytest.mark.parametrize("version", VERSIONS)
def test_all_old_names_together(version: str) -> None:
    """A whole template at once: one token for each option, and a command that is sound."""
    found = made(version, **OLD_NAMES)
    assert not found.findings.errors
    flags = [token.partition("=")[0] for token in found.command if token.startswith("--")]
    assert len(flags) == len(set(flags))
    assert "hf_something_secret" not in " ".join(found.command)


def test_an_alias_wins_over_the_options_own_name() -> None:
    found = made("0.32.0", TOKENIZER_NAME="alias", TOKENIZER="own")
    assert flag(found, "--tokenizer") == "alias"
    (warning,) = found.findings.warnings
    assert "TOKENIZER_NAME and TOKENIZER differ" in warning.message
    assert not made("0.32.0", TOKENIZER_NAME="x", TOKENIZER="x").findings.warnings


def test_a_wrong_value_of_an_alias_is_named_by_the_alias() -> None:
    found = made("0.6.2", OPENAI_SERVED_MODEL_NAME_OVERRIDE="--port")
    (error,) = found.findings.errors
    assert error.message.startswith("OPENAI_SERVED_MODEL_NAME_OVERRIDE=--port ")


def test_the_override_stands_first_and_the_models_name_behind_it() -> None:
    command = list(made("0.32.0", OPENAI_SERVED_MODEL_NAME_OVERRIDE="my model").command)
    place = command.index("--served-model-name")
    assert command[place + 1 : place + 3] == ["my model", "org/m"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["DISABLE_LOG_REQUESTS", "DISABLE_LOGGING_REQUEST"])
def test_request_logging_off(version: str, name: str) -> None:
    said = {"--disable-log-requests", "--no-enable-log-requests"}
    assert said & set(made(version, **{name: "true"}).command)


def test_ray_only_if_true() -> None:
    assert flag(made("0.32.0", WORKER_USE_RAY="1"), "--distributed-executor-backend") == "ray"
    assert flag(made("0.32.0", WORKER_USE_RAY="0"), "--distributed-executor-backend") is None
    explicit = made("0.32.0", WORKER_USE_RAY="1", DISTRIBUTED_EXECUTOR_BACKEND="mp")
    assert flag(explicit, "--distributed-executor-backend") == "mp"


@pytest.mark.parametrize("name", ["MAX_MODEL_LEN", "MAX_LOG_LEN", "ROPE_THETA", "MAX_CPU_LORAS"])
def test_zero_means_not_set_for_the_names_that_had_it(name: str) -> None:
    found = made("0.32.0", **{name: "0"})
    assert [ignored.env for ignored in found.findings.ignored] == [name]
    assert not found.findings.errors


def test_zero_is_zero_elsewhere() -> None:
    assert flag(made("0.32.0", SEED="0"), "--seed") == "0"


@pytest.mark.parametrize("version", ["0.10.2", "0.14.1"])
def test_the_log_of_requests_where_the_old_option_is_without_effect(version: str) -> None:
    found = made(version, DISABLE_LOG_REQUESTS="false")
    assert "--enable-log-requests" in found.command


def test_a_variable_of_the_engines_that_is_an_option_now() -> None:
    name = "VLLM_ATTENTION_BACKEND"
    assert flag(made("0.32.0", **{name: "FLASHINFER"}), "--attention-backend") == "FLASHINFER"
    later = made("0.32.0", **{name: "TRITON_ATTN_VLLM_V1"})
    assert flag(later, "--attention-backend") == "TRITON_ATTN"
    gone = made("0.32.0", **{name: "XFORMERS"})
    assert flag(gone, "--attention-backend") is None
    (warning,) = gone.findings.warnings
    assert "has no XFORMERS" in warning.message
    early = made("0.10.2", **{name: "XFORMERS"})
    assert "the engine reads it itself" in {row.note for row in early.findings.applied}
    assert not early.findings.warnings


@pytest.mark.parametrize(
    ("version", "env", "warned"),
    [
        ("0.32.0", {"VLLM_USE_V1": "0"}, ["VLLM_USE_V1"]),
        ("0.32.0", {"VLLM_USE_V1": "1"}, []),
        ("0.10.2", {"VLLM_USE_V1": "0"}, []),
        ("0.32.0", {"ENABLE_REASONING": "true"}, ["ENABLE_REASONING"]),
        ("0.32.0", {"ENABLE_REASONING": "true", "REASONING_PARSER": "qwen3"}, []),
        ("0.32.0", {"ENABLE_REASONING": "false"}, []),
    ],
)
def test_what_left_vllm_is_named_where_something_was_asked_of_it(
    version: str, env: dict[str, str], warned: list[str]
) -> None:
    assert [each.env for each in made(version, **env).findings.warnings] == warned


def test_what_agrees_in_meaning_does_not_differ() -> None:
    found = made("0.32.0", MODEL_REVISION="main", REVISION=" main ", SEED="0")
    assert not found.findings.warnings
