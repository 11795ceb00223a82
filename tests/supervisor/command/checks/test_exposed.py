"""A secret that stays on the command line is told of at the start, by the name of its option."""

from __future__ import annotations

import pytest

from supervisor.catalog import versions
from supervisor.command.explain import as_json, as_text
from supervisor.command.plan import make

SECRET = "Vf9qLw2xRt"
CATALOG = versions.load("0.33.0")


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        (
            "KV_TRANSFER_CONFIG",
            f'{{"kv_connector":"X","kv_connector_extra_config":{{"api_key":"{SECRET}"}}}}',
            "KV_TRANSFER_CONFIG (--kv-transfer-config)",
        ),
        (
            "OTLP_TRACES_ENDPOINT",
            f"https://user:{SECRET}@host:4317",
            "OTLP_TRACES_ENDPOINT (--otlp-traces-endpoint)",
        ),
        (
            "VLLM_EXTRA_ARGS",
            f"--otlp-traces-endpoint https://host/x?token={SECRET}",
            "VLLM_EXTRA_ARGS (--otlp-traces-endpoint)",
        ),
    ],
)
def test_it_is_named_and_not_shown(name: str, value: str, what: str) -> None:
    plan = make({"MODEL_NAME": "org/m", name: value}, CATALOG)
    (warning,) = (w for w in plan.findings.warnings if "looks like a secret" in w.message)
    assert warning.env == name
    assert warning.message.startswith(what)
    assert SECRET in " ".join(plan.command)
    assert SECRET not in as_text(plan)
    assert SECRET not in str(as_json(plan))


def test_a_command_without_one_gives_no_warning() -> None:
    env = {
        "MODEL_NAME": "acme/hf_finetuned8b",
        "VLLM_EXTRA_ARGS": "--max-num-batched-tokens 4096 --api-key mine-1234",
        "KV_TRANSFER_CONFIG": '{"kv_connector":"X","kv_buffer_size":1}',
        "TOKENIZER": "org/tokenizer",
    }
    plan = make(env, CATALOG)
    assert not [w for w in plan.findings.warnings if "looks like a secret" in w.message]
