"""The whole configuration: what is put together of all passes, and what must never happen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.catalog import Catalog, store
from supervisor.command import explain, legacy, plan
from supervisor.settings.table import WORKER_VARIABLES
from tests.processes import ROOT
from tests.supervisor.command.test_translate import catalog

CURRENT = catalog("0.32.0")


def made(env: dict[str, str], of: Catalog | None = CURRENT) -> plan.Plan:
    return plan.make(env, of)


def test_extra_arguments_come_last_and_config_is_two_tokens() -> None:
    env = {
        "MODEL_NAME": "m",
        "VLLM_CONFIG_FILE": "/c.yaml",
        "VLLM_EXTRA_ARGS": "--seed 7 --chat-template '{{ x }}'",
    }
    assert made(env).command[-6:] == (
        "--config", "/c.yaml", "--seed", "7", "--chat-template", "{{ x }}",
    )  # fmt: skip


def test_the_engine_environment_is_the_users_without_ours() -> None:
    env = {
        "MODEL_NAME": "m",
        "PATH": "/bin",
        "PYTHONPATH": f"/src:{ROOT}::{ROOT}/",
        "VLLM_PORT": "8000",
        "VLLM_LOGGING_LEVEL": "DEBUG",
        "HF_TOKEN": "t",
        "RUNPOD_AI_API_KEY": "k",
        "RUNPOD_POD_ID": "p",
    }
    assert plan.engine_environment(env, made(env)) == {
        "PATH": "/bin",
        "PYTHONPATH": "/src",
        "VLLM_LOGGING_LEVEL": "DEBUG",
        "HF_TOKEN": "t",
        "RUNPOD_POD_ID": "p",
        "GLOO_SOCKET_IFNAME": "lo",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKER_MODE", "fast"),
        ("VLLM_PORT", "0"),
        ("DRAIN_TIMEOUT", "soon"),
        ("MAX_RESTARTS", "-1"),
        ("MAX_CONCURRENCY", "0"),
        ("BATCH_MAX_LATENCY_MS", "fast"),
        ("DEFAULT_BATCH_SIZE_GROWTH_FACTOR", "0.5"),
        ("STARTUP_TIMEOUT", "nan"),
    ],
)
def test_a_wrong_setting_of_the_worker_is_named(name: str, value: str) -> None:
    (error,) = made({"MODEL_NAME": "m", name: value}).findings.errors
    assert error.env == name
    assert error.message.startswith(f"{name}={value} ")


def test_load_balancer_mode_warns_without_a_health_port() -> None:
    env = {"MODEL_NAME": "m", "RUNPOD_ENDPOINT_ID": "e"}
    assert [warning.env for warning in made(env).findings.warnings] == ["PORT_HEALTH"]
    assert not made({**env, "PORT_HEALTH": "8001"}).findings.warnings


def test_without_a_catalogue_the_rest_still_works() -> None:
    found = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--seed 1", "MAX_MODEL_LEN": "4"}, None)
    assert found.command[-2:] == ("--seed", "1")
    assert found.vllm_version is None


# --- what must never happen, whatever is set ---

_NAMES = sorted({*WORKER_VARIABLES, *legacy.names(), *CURRENT.by_variable, *CURRENT.elsewhere})
_VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "0",
            "1",
            "true",
            "off",
            "None",
            "none",
            "[]",
            "{}",
            "[1]",
            '{"a":1}',
            "'",
            '"',
            "-",
        ]
    ),
    st.sampled_from(["--port=1", "--api_k x", "{{ \udcff }}", "{% a\n%}", "a,b", "\x1b[31m", "4k"]),
    st.text(max_size=12),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=12))
def test_whatever_is_set_is_answered_with_sentences(env: dict[str, str]) -> None:
    """Nothing raises, and nothing that is set goes lost: it took effect or is named."""
    for of in (CURRENT, catalog("0.6.2"), store.common()):
        found = made(env, of)
        explain.as_text(found)
        json.dumps(explain.as_json(found))
        findings = found.findings
        said: list[Any] = [*findings.applied, *findings.ignored]
        wrong: list[Any] = [*findings.warnings, *findings.errors]
        named = {each.env for each in said + wrong}
        told = " ".join(each.message for each in wrong)
        lost = {
            name
            for name, value in env.items()
            if value.strip() and name not in named and name not in told
        }
        short = {name for name in lost if name in of.elsewhere and "_" not in name}
        assert lost <= short


@pytest.mark.parametrize(
    ("version", "env", "winner", "token"),
    [
        ("0.32.0", {"DISABLE_LOGGING_REQUEST": "true", "DISABLE_LOG_REQUESTS": "false"},
         "DISABLE_LOGGING_REQUEST", "--no-enable-log-requests"),
        ("0.32.0", {"ENABLE_LOG_REQUESTS": "true", "DISABLE_LOG_REQUESTS": "true"},
         "DISABLE_LOG_REQUESTS", "--no-enable-log-requests"),
        ("0.32.0", {"DISABLE_LOGGING_REQUEST": "false", "DISABLE_LOG_REQUESTS": "true"},
         "DISABLE_LOG_REQUESTS", "--no-enable-log-requests"),
        ("0.6.2", {"DISABLE_LOGGING_REQUEST": "false", "DISABLE_LOG_REQUESTS": "true"},
         "DISABLE_LOG_REQUESTS", "--disable-log-requests"),
        ("0.33.0", {"ENABLE_LOG_REQUESTS": "true", "DISABLE_LOG_REQUESTS": "true"},
         "DISABLE_LOG_REQUESTS", "--no-enable-log-requests"),
        ("0.33.0", {"GPU_MEMORY_UTILIZATION": "0.5", "DEVICE_MEMORY_UTILIZATION": "0.8"},
         "GPU_MEMORY_UTILIZATION", "--gpu-memory-utilization=0.5"),
        ("0.33.0", {"ENABLE_PREFIX_CACHING": "false", "NO_ENABLE_PREFIX_CACHING": "false"},
         "ENABLE_PREFIX_CACHING", "--no-enable-prefix-caching"),
    ],
)  # fmt: skip
def test_one_value_for_one_meaning(
    version: str, env: dict[str, str], winner: str, token: str
) -> None:
    """Two names that contradict each other: one counts, and a warning says which."""
    of = catalog(version)
    found = made({"MODEL_NAME": "m", **env}, of)
    option = of.option(token.partition("=")[0])
    assert option is not None
    said = [each for each in found.command if of.option(each.partition("=")[0]) is option]
    assert said == [token]
    (warning,) = found.findings.warnings
    assert f"{winner} is used" in warning.message


def test_an_option_of_other_versions_is_named() -> None:
    env = {"MODEL_NAME": "m", "REASONING_PARSER": "x", "KV_CACHE_MEMORY_BYTES": "3"}
    found = made(env, catalog("0.6.2"))
    assert {w.env for w in found.findings.warnings} == set(env) - {"MODEL_NAME"}
    strict = made({**env, "STRICT_ENV": "1"}, catalog("0.6.2"))
    assert {e.env for e in strict.findings.errors} == set(env) - {"MODEL_NAME"}


def test_a_port_that_does_not_count_is_named() -> None:
    found = made({"MODEL_NAME": "m", "PORT": "9000"})
    assert [ignored.env for ignored in found.findings.ignored] == ["PORT"]
    of_kubernetes = made({"MODEL_NAME": "m", "VLLM_PORT": "tcp://10.96.0.7:80"})
    assert [ignored.env for ignored in of_kubernetes.findings.ignored] == ["VLLM_PORT"]
    assert "--port=8000" in of_kubernetes.command
    assert not of_kubernetes.findings.errors
    balanced = made({"MODEL_NAME": "m", "WORKER_MODE": "load-balancer", "VLLM_PORT": "9"})
    assert [ignored.env for ignored in balanced.findings.ignored] == ["VLLM_PORT"]
