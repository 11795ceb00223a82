"""What is written behind the image's name, as for vLLM's own image."""

from __future__ import annotations

import shlex

import pytest

from supervisor import planning
from supervisor.catalog import versions
from supervisor.command.command_line import parted
from supervisor.command.plan import Plan
from tests.supervisor.command.test_translate import VERSIONS

COMMANDS = ("run", "explain", "status")


def made(text: str, version: str = "0.32.0", **env: str) -> Plan:
    return planning.by_catalog(env, versions.load(version), shlex.split(text))


@pytest.mark.parametrize(
    ("text", "own", "engine"),
    [
        ("", "", ""),
        ("run", "run", ""),
        ("explain --json", "explain --json", ""),
        ("--help", "--help", ""),
        ("run --help", "run --help", ""),
        ("--version", "--version", ""),
        ("--model X --seed 1", "run", "--model X --seed 1"),
        ("serve X --seed 1", "run", "serve X --seed 1"),
        ("vllm serve X", "run", "vllm serve X"),
        ("org/m", "run", "org/m"),
        ("gpt2 --seed 1", "run", "gpt2 --seed 1"),
        ("run --model X", "run", "--model X"),
        ("run -- serve X", "run", "serve X"),
        ("explain --json -- serve X --seed 1", "explain --json", "serve X --seed 1"),
        ("-- --model X", "run", "--model X"),
        ("explian", "explian", ""),
        ("bash -c ls", "bash -c ls", ""),
        ("python3 -m vllm.entrypoints.openai.api_server --model X", "run",
         "python3 -m vllm.entrypoints.openai.api_server --model X"),
        ("python3 -m http.server", "python3 -m http.server", ""),
    ],
)  # fmt: skip
def test_whose_an_argument_is(text: str, own: str, engine: str) -> None:
    assert parted(text.split(), COMMANDS) == (own.split(), engine.split())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "text",
    [
        "--model org/x --max-model-len 4096",
        "--max-model-len 4096 --model=org/x",
        "serve org/x --max-model-len 4096",
        "vllm serve org/x --max-model-len 4096",
        "org/x --max-model-len 4096",
        "python3 -m vllm.entrypoints.openai.api_server --model org/x --max-model-len 4096",
    ],
)
def test_the_ways_to_write_it_are_one_plan_that_wins(text: str, version: str) -> None:
    found = made(text, version, MODEL_NAME="org/m", MAX_MODEL_LEN="8192", SEED="1")
    assert found.command[1:3] == ("serve", "org/x")
    assert found.value("--max-model-len") == "4096"
    assert found.value("--seed") == "1"
    assert not any("8192" in token or "org/m" in token for token in found.command)
    assert not found.findings.errors
    assert found.findings.warnings == (found.listener,)  # nothing asks for a key
    assert {each.env for each in found.findings.ignored} == {"MODEL_NAME", "MAX_MODEL_LEN"}


def test_an_old_name_and_the_other_half_of_a_switch_lose_too() -> None:
    found = made(
        "org/x --no-enable-prefix-caching --response-role bot",
        ENABLE_PREFIX_CACHING="true",
        OPENAI_RESPONSE_ROLE="model",
    )
    assert [token for token in found.command if "prefix" in token] == ["--no-enable-prefix-caching"]
    assert {each.env for each in found.findings.ignored} == {
        "ENABLE_PREFIX_CACHING",
        "OPENAI_RESPONSE_ROLE",
    }


def test_what_the_worker_reads_itself_is_read_from_the_arguments() -> None:
    found = made("org/x --revision r --tokenizer t/t --config /c.yaml --port 9001", REVISION="old")
    assert found.environment["MODEL_REVISION"] == "r"
    assert found.value("--revision") == "r"
    assert found.value("--tokenizer") == "t/t"
    assert found.value("--config") == "/c.yaml"
    assert found.settings.engine_port == 9001
    assert "old" not in found.command


def test_a_model_among_the_arguments_is_one_where_a_gpu_is_paid() -> None:
    queue = {"RUNPOD_WEBHOOK_GET_JOB": "http://x/$ID?"}
    assert not made("--model org/x", **queue).findings.errors
    assert made("--seed 1", **queue).findings.errors


def test_a_secret_goes_into_the_engines_environment() -> None:
    found = made("org/x --api-key a-secret-word --hf-token=hf_secret123")
    assert found.engine_env["VLLM_API_KEY"] == "a-secret-word"
    assert found.engine_env["HF_TOKEN"] == "hf_secret123"
    assert "secret" not in " ".join(found.command) + str(found.findings)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("org/x other", "other among the arguments belongs to no option"),
        (
            'org/x --hf-overrides {"max": 5} --seed 1',
            "--hf-overrides={max: among the arguments is not JSON",
        ),
        ("vllm bench serve", "`vllm bench` is nothing that this worker runs"),
        ("org/x --seed=one", "--seed=one among the arguments is not a whole number"),
        ("org/x --max-model-lenn 8", "--max-model-lenn among the arguments is no option of vLLM"),
        ("org/x --gpu-memory-utilization 7", "--gpu-memory-utilization=7 is out of range"),
    ],
)
def test_what_is_none_is_named(text: str, sentence: str) -> None:
    (error,) = made(text, MODEL_NAME="m").findings.errors
    assert error.message.startswith(sentence)
