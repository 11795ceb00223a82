"""A plan as JSON for programs, and as a table for people; nothing secret in either."""

from __future__ import annotations

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
        "settings", "ignored", "warnings", "errors",
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
    head, command, ignored = text.split("\n\n", 1)[1].split("\n\n")
    assert head.splitlines()[0].split() == ["variable", "value", "became", "remarks"]
    assert max(len(line) for line in head.splitlines()) < 130
    assert any(line.split()[:3] == ["TOKENIZER_NAME", "t", "--tokenizer"] for line in
               head.splitlines())  # fmt: skip
    pasted = command.partition("\n")[2].replace("\\\n", "")
    assert tuple(shlex.split(pasted)) == found.command
    assert ignored.startswith("ignored\nHOST: ")
    assert "\033[" not in text
    assert "\033[" in explain.as_text(found, colour=True)


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
    assert found.engine_env == {"HF_TOKEN": secret, "VLLM_API_KEY": secret}


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
