"""The generic rule, on the real catalogues of six versions."""

from __future__ import annotations

import pytest

from supervisor.catalog import Catalog, Kind, Option, store, versions
from supervisor.command import translate
from supervisor.command.legacy import Rewritten

VERSIONS = sorted(versions.known())


def catalog(version: str) -> Catalog:
    return store.with_elsewhere(versions.load(version))


@pytest.fixture(scope="module")
def current() -> Catalog:
    return catalog("0.32.0")


def tokens(env: dict[str, str], of: Catalog) -> list[str]:
    said, findings = translate.translate(Rewritten(env), of, given=env, taken=())
    assert not findings.errors
    return list(said)


def refusal(env: dict[str, str], of: Catalog) -> str:
    said, findings = translate.translate(Rewritten(env), of, given=env, taken=())
    assert said == ()
    (fault,) = findings.errors
    return fault.message


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MAX_MODEL_LEN", "4096", ["--max-model-len=4096"]),
        ("MAX_MODEL_LEN", "4k", ["--max-model-len=4k"]),
        ("MAX_MODEL_LEN", "auto", ["--max-model-len=auto"]),
        ("GPU_MEMORY_UTILIZATION", "0.85", ["--gpu-memory-utilization=0.85"]),
        ("DTYPE", "bfloat16", ["--dtype=bfloat16"]),
        ("SEED", "0", ["--seed=0"]),
        ("ENFORCE_EAGER", "1", ["--enforce-eager"]),
        ("ENFORCE_EAGER", "False", ["--no-enforce-eager"]),
        ("ENABLE_PREFIX_CACHING", "no", ["--no-enable-prefix-caching"]),
        ("NO_ENABLE_PREFIX_CACHING", "true", ["--no-enable-prefix-caching"]),
        ("DISABLE_LOG_STATS", "true", ["--disable-log-stats"]),
        ("DISABLE_LOG_STATS", "false", []),
        ("SERVED_MODEL_NAME", "a, b  c", ["--served-model-name", "a", "b", "c"]),
        ("SERVED_MODEL_NAME", '["a b", "c"]', ["--served-model-name", "a b", "c"]),
        (
            "LORA_MODULES",
            '[{"name":"x","path":"/p"}]',
            ["--lora-modules", '{"name":"x","path":"/p"}'],
        ),
        ("LORA_MODULES", "x=/p y=/q", ["--lora-modules", "x=/p", "y=/q"]),
        ("HF_OVERRIDES", '{"a": 1}', ['--hf-overrides={"a": 1}']),
        ("ALLOWED_ORIGINS", '["https://x"]', ['--allowed-origins=["https://x"]']),
    ],
)
def test_each_kind_of_option(current: Catalog, name: str, value: str, expected: list[str]) -> None:
    """A valid value is passed on as it was written, in the way its option takes it."""
    assert tokens({name: value}, current) == expected


def test_disable_spelling_of_a_pair() -> None:
    """0.33 pairs --enable-x with --disable-x; the variable of either spelling works."""
    newest = catalog("0.33.0")
    assert tokens({"DISABLE_LOG_REQUESTS": "1"}, newest) == ["--no-enable-log-requests"]
    assert tokens({"DISABLE_LOG_REQUESTS": "0"}, newest) == ["--enable-log-requests"]


def test_boolean_value_of_old_versions() -> None:
    """0.6.2 takes --enable-chunked-prefill=true."""
    oldest = catalog("0.6.2")
    assert tokens({"ENABLE_CHUNKED_PREFILL": "0"}, oldest) == ["--enable-chunked-prefill=false"]


@pytest.mark.parametrize("value", ["", "   "])
def test_blank_is_not_set(current: Catalog, value: str) -> None:
    assert tokens({"MAX_MODEL_LEN": value}, current) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MAX_MODEL_LEN", "many", "MAX_MODEL_LEN=many is not a whole number"),
        ("TENSOR_PARALLEL_SIZE", "2.5", "TENSOR_PARALLEL_SIZE=2.5 is not a whole number"),
        ("GPU_MEMORY_UTILIZATION", "half", "is not a number"),
        ("DTYPE", "int4", "is not one of auto, bfloat16"),
        ("ENFORCE_EAGER", "maybe", "is neither true nor false"),
        ("HF_OVERRIDES", "{a: 1}", "is not JSON"),
        ("SERVED_MODEL_NAME", "--port", "would read as an option"),
        ("SERVED_MODEL_NAME", "[]", "is an empty list"),
    ],
)
def test_a_wrong_value_is_named(current: Catalog, name: str, value: str, sentence: str) -> None:
    message = refusal({name: value}, current)
    assert message.startswith(f"{name}={value} ")
    assert sentence in message


def test_guarded_names_are_ignored_with_their_reason(current: Catalog) -> None:
    env = {"HOST": "box", "PORT": "1", "HF_TOKEN": "hf_secretsecret", "API_KEY": "k", "UDS": "/x"}
    said, findings = translate.translate(Rewritten(env), current, given=env, taken=())
    assert said == ()
    assert {ignored.env for ignored in findings.ignored} == set(env)
    reasons = {ignored.env: ignored.reason for ignored in findings.ignored}
    assert "VLLM_EXTRA_ARGS" in reasons["HOST"]
    assert "environment" in reasons["HF_TOKEN"]
    assert not findings.warnings
    assert "hf_secretsecret" not in repr(findings)


def test_a_switch_is_no_secret_whatever_its_name(current: Catalog) -> None:
    assert tokens({"ALLOW_CREDENTIALS": "1"}, current) == ["--allow-credentials"]


def _sample(option: Option) -> str:
    if option.kind in {Kind.BOOL_PAIR, Kind.BOOL_VALUE, Kind.STORE_TRUE}:
        return "true"
    if option.choices:
        return str(option.choices[0])
    if option.kind in {Kind.JSON, Kind.JSON_OR_STR}:
        return "{}"
    return "0.5" if "float" in option.type else "1"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_option_of_every_version_can_be_said(version: str) -> None:
    """Each option has a variable, and its variable becomes that option, once."""
    of = catalog(version)
    for option in of.options:
        if translate.guard(option.env, option):
            continue
        said = tokens({option.env: _sample(option)}, of)
        assert said, option
        flag = said[0].partition("=")[0]
        assert of.option(flag) is option
