"""VLLM_EXTRA_ARGS: split as a shell would, and no secret of it on a command line."""

from __future__ import annotations

import json

import pytest

from supervisor.catalog import Catalog, store
from supervisor.command import explain, plan
from tests.supervisor.command.test_translate import VERSIONS, catalog

CURRENT = catalog("0.32.0")


def made(env: dict[str, str], of: Catalog | None = CURRENT) -> plan.Plan:
    return plan.make(env, of)


def test_an_open_quote_is_an_error() -> None:
    (error,) = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--x 'y"}).findings.errors
    assert error.env == "VLLM_EXTRA_ARGS"


@pytest.mark.parametrize("extra", ["--api-key s3cret-s3cret", "--api-key=s3cret-s3cret"])
def test_a_secret_in_extra_arguments_moves_to_the_environment(extra: str) -> None:
    found = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": f"{extra} --seed 1"})
    assert found.engine_env["VLLM_API_KEY"] == "s3cret-s3cret"
    assert found.command[-2:] == ("--seed", "1")
    assert "s3cret" not in " ".join(found.command)
    assert "s3cret" not in str(explain.as_json(found))
    assert "s3cret" not in explain.as_text(found)
    (warning,) = found.findings.warnings
    assert warning.message == (
        "the value of --api-key in VLLM_EXTRA_ARGS goes to the engine as VLLM_API_KEY instead:"
        " every process of the machine can read a command line"
    )


def test_every_key_in_extra_arguments_leaves_the_command_line() -> None:
    found = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--api-key first-one second-one --seed 1"})
    assert found.engine_env["VLLM_API_KEY"] == "first-one"
    assert len(found.engine_env["GATE_SECRET_DIGESTS"].split(",")) == 2
    assert len(found.findings.warnings) == 1
    assert "second-one" not in " ".join(found.command)


@pytest.mark.parametrize("option", ["--api-key", "--api_key", "--api-k", "--hf_tok"])
def test_a_secret_leaves_the_command_line_however_its_option_is_cut_short(option: str) -> None:
    for of in (CURRENT, store.common(), None):
        env = {"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": f"{option} s3cretvalue --seed 1"}
        found = made(env, of)
        assert "s3cretvalue" not in " ".join(found.command)
        assert "s3cretvalue" in found.engine_env.values()


def test_an_open_quote_shows_nothing_of_the_text() -> None:
    found = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--api-key topsecret 'x"})
    assert "topsecret" not in json.dumps(explain.as_json(found))


@pytest.mark.parametrize(
    ("env", "extra", "loser"),
    [
        ({"MAX_MODEL_LEN": "8k"}, "--max-model-len 4096", "--max-model-len"),
        ({"TOKENIZER_NAME": "org/t"}, "--tokenizer=org/u", "--tokenizer"),
        ({"ENFORCE_EAGER": "true"}, "--no-enforce-eager", "--enforce-eager"),
        ({"LIMIT_MM_PER_PROMPT": "image=4"}, "--limit-mm-per-prompt {}", "--limit-mm-per-prompt"),
    ],
)
def test_a_variable_that_loses_is_shown_as_such(
    env: dict[str, str], extra: str, loser: str
) -> None:
    found = made({"MODEL_NAME": "m", **env, "VLLM_EXTRA_ARGS": extra})
    (name,) = env
    assert [row.reason for row in found.findings.ignored if row.env == name] == [
        f"{loser} in VLLM_EXTRA_ARGS wins"
    ]
    assert name not in {row.env for row in found.findings.applied}
    assert sum(argument.flag == loser for argument in found.options.given) == 1
    assert " ".join(found.command).endswith(extra)


def test_what_vllm_merges_loses_nothing() -> None:
    """`--option.field` is laid over the object."""
    env = {"MODEL_NAME": "m", "LIMIT_MM_PER_PROMPT": "image=4"}
    found = made({**env, "VLLM_EXTRA_ARGS": "--limit-mm-per-prompt.video 1"})
    assert '--limit-mm-per-prompt={"image":4}' in found.command


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("extra", ["--model other/x", "--seed 1 --model=other/x"])
def test_a_second_model_is_refused(version: str, extra: str) -> None:
    """It goes to the front, and vLLM is left with the other as a word that it does not know."""
    env = {"MODEL_NAME": "org/m", "VLLM_EXTRA_ARGS": extra}
    (error,) = plan.make(env, catalog(version)).findings.errors
    assert error.message == (
        "--model=other/x in VLLM_EXTRA_ARGS is a second model: MODEL_NAME names one already"
    )
    assert error.suggestion == "take it out, or set MODEL_NAME=other/x instead"
    alone = plan.make({"VLLM_EXTRA_ARGS": extra}, catalog(version))
    assert alone.findings.errors == ()
    assert "other/x" in " ".join(alone.command)
