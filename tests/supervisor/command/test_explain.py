"""A plan as JSON for programs, and as a table for people; nothing secret in either."""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import Any

import pytest

from supervisor.catalog import Catalog
from supervisor.command import explain, plan
from tests.supervisor.command.test_translate import catalog

CURRENT = catalog("0.32.0")


def made(env: dict[str, str], of: Catalog | None = CURRENT) -> plan.Plan:
    return plan.make(env, of)


def test_explain_has_the_fields_of_its_contract() -> None:
    shown: dict[str, Any] = explain.as_json(
        made({"MODEL_NAME": "m", "MAX_MODEL_LEN": "1k", "HOST": "x", "TENSOR_PARALLEL_SIZE": "two"})
    )
    assert set(shown) == {
        "mode", "vllm_version", "command", "engine_env",
        "settings", "environment", "ignored", "warnings", "errors",
    }  # fmt: skip
    assert isinstance(shown["command"], list)
    assert {"env": "MAX_MODEL_LEN", "value": "1k", "flag": "--max-model-len", "source": "option",
            "note": None} in shown["settings"]  # fmt: skip
    assert [error["env"] for error in shown["errors"]] == ["TENSOR_PARALLEL_SIZE"]
    assert [ignored["env"] for ignored in shown["ignored"]] == ["HOST"]


def test_the_text_is_a_table_and_a_command_that_a_shell_takes() -> None:
    env = {
        "MODEL_NAME": "m",
        "HF_OVERRIDES": '{"text": "it\'s ' + "x" * 100 + '"}',
        "TOKENIZER_NAME": "t",
        "HOST": "box",
    }
    found = made(env)
    text = explain.as_text(found)
    head, command, _, ignored = text.split("\n\n", 1)[1].split("\n\n")
    assert head.splitlines()[0].split() == ["variable", "value", "became"]
    assert any(line.split()[:3] == ["TOKENIZER_NAME", "t", "--tokenizer"] for line in
               head.splitlines())  # fmt: skip
    pasted = command.partition("\n")[2].replace("\\\n", "")
    assert tuple(shlex.split(pasted)) == found.command
    assert ignored.startswith("ignored\nHOST: ")
    assert "\033[" not in text
    assert "\033[" in explain.as_text(found, colour=True)


LONG = {
    "MODEL_NAME": "meta-llama/Llama-3.1-8B-Instruct",
    "OPENAI_SERVED_MODEL_NAME_OVERRIDE": "my-model",
    "GUIDED_DECODING_BACKEND": "outlines",
    "DISABLE_CUSTOM_ALL_REDUCE": "true",
    "TYPICAL_ACCEPTANCE_SAMPLER_POSTERIOR_THRESHOLD": "0.2",
    "LONG_PREFILL_TOKEN_THRESHOLD_ADAPTIVE": "true",
    "HF_OVERRIDES": '{"text": "' + "x " * 100 + '"}',
    "VLLM_EXTRA_ARGS": "--hf-token hf_secretsecret --max-num-seqs 3",
    "HF_TOKEN": "hf_secretsecret",
    "HOST": "box",
    "MAX_MODEL_LENGTH": "4096",
    "TENSOR_PARALLEL_SIZE": "two",
}


def outside_the_command(text: str) -> list[str]:
    parts = [part for part in text.split("\n\n") if not part.startswith("command\n")]
    return "\n\n".join(parts).splitlines()


@pytest.mark.parametrize("version", ["0.6.2", "0.10.2", "0.32.0"])
@pytest.mark.parametrize("width", [80, 100, 140, 400])
def test_no_line_is_wider_than_the_terminal(width: int, version: str) -> None:
    found = made(LONG, catalog(version))
    lines = outside_the_command(explain.as_text(found, width=width))
    assert [line for line in lines if len(line) > width] == []
    # Nothing is lost on the way but the rest of long values.
    words = " ".join(lines).split()
    for row in found.findings.applied:
        assert row.env in words
        assert row.flag is None or row.flag in words
        assert set((row.note or "").split()) <= set(words)
    for remark in found.findings.warnings:
        assert " ".join(remark.message.split()) in " ".join(words)


def test_remarks_stand_beside_their_rows_where_there_is_room() -> None:
    found = made(LONG)
    under = explain.as_text(found, width=80).splitlines()
    at = next(number for number, line in enumerate(under) if line.startswith("MODEL_NAME"))
    assert under[at].split()[:2] == ["MODEL_NAME", "meta-llama/Llama-3.…"]
    assert under[at + 1] == "    the model, as the first argument"
    aside = explain.as_text(found, width=160).splitlines()
    row = next(line for line in aside if line.startswith("MODEL_NAME"))
    assert row.split()[1] == LONG["MODEL_NAME"]
    assert row.endswith("the model, as the first argument")


def test_a_long_name_has_a_line_for_itself_before_values_are_lost() -> None:
    lines = explain.as_text(made(LONG), width=80).splitlines()
    at = lines.index("OPENAI_SERVED_MODEL_NAME_OVERRIDE")
    assert lines[at + 1].split() == ["my-model", "--served-model-name"]
    value = next(line for line in lines if line.startswith("MODEL_NAME")).index("meta-llama")
    assert lines[at + 1].index("my-model") == value


def test_secrets_are_kept_in_the_environment_and_not_ignored() -> None:
    """Programs find them under `ignored` as well, where they were before `environment` came."""
    env = {"MODEL_NAME": "m", "HF_TOKEN": "hf_secretsecret", "VLLM_API_KEY": "k" * 9, "HOST": "x"}
    found = made(env)
    shown = explain.as_json(found)
    assert [row["env"] for row in shown["environment"]] == ["HF_TOKEN", "VLLM_API_KEY"]
    assert [row["env"] for row in shown["ignored"]] == ["HF_TOKEN", "HOST", "VLLM_API_KEY"]
    text = explain.as_text(found)
    kept, ignored = text.split("\n\n")[-2:]
    assert kept.splitlines()[0] == "kept in the environment"
    assert [line.partition(":")[0] for line in kept.splitlines()[1:]] == [
        "HF_TOKEN",
        "VLLM_API_KEY",
    ]
    assert ignored.startswith("ignored\nHOST: ")
    assert "HF_TOKEN" not in ignored


def test_who_set_a_variable_is_said_of_options_and_of_what_the_engine_reads() -> None:
    env = {"MODEL_NAME": "m", "DTYPE": "float32", "MAX_MODEL_LEN": "1k"}
    set_by = {"MODEL_NAME": "set by us", "DTYPE": "set by us", "VLLM_CPU_KVCACHE_SPACE": "by us"}
    shown = explain.as_json(made(env), set_by)
    notes = {row["env"]: row["note"] for row in shown["settings"]}
    assert notes["DTYPE"] == "set by us"
    assert notes["MODEL_NAME"] == "the model, as the first argument; set by us"
    assert notes["MAX_MODEL_LEN"] is None
    assert shown["environment"] == [{"env": "VLLM_CPU_KVCACHE_SPACE", "reason": "by us"}]
    text = explain.as_text(made(env), set_by)
    assert "kept in the environment\nVLLM_CPU_KVCACHE_SPACE: by us\n" in text


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "VLLM_API_KEY", "MY_SECRET", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD"]
)
def test_no_secret_is_shown(name: str) -> None:
    """In a variable named like one, and as a value that looks like one anywhere else."""
    secret = "hf_Zq81mVbT0pLsWc"
    env = {
        "MODEL_NAME": "m",
        name: secret,
        "VLLM_EXTRA_ARGS": f"--hf-token={secret} --api-key {secret} --x-y {secret}",
        "SERVED_MODEL_NAME": secret,
        "DTYPE": secret,
    }
    found = made(env)
    assert secret not in json.dumps(explain.as_json(found))
    assert secret not in explain.as_text(found)
    assert found.engine_env["HF_TOKEN"] == found.engine_env["VLLM_API_KEY"] == secret
    assert hashlib.sha256(secret.encode()).hexdigest() not in explain.as_text(found)


@pytest.mark.parametrize(
    "value",
    [
        '{"aws_secret_access_key": "topsecret", "a": 1}',
        '{"api_key":"topsecret"}',
        "https://user:topsecret@host/x",
        "ghp_topsecret1234",
    ],
)
def test_secrets_inside_values_are_not_shown(value: str) -> None:
    env = {
        "MODEL_NAME": "m",
        "OTLP_TRACES_ENDPOINT": value,
        "STRICT_ENV": "1",
        "API_KEYS": "topsecret",
    }
    found = made(env)
    assert "topsecret" not in explain.as_text(found)
    assert "topsecret" not in json.dumps(explain.as_json(found))
