"""The whole configuration: mode, model, extra arguments, secrets."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.catalog import Catalog, store
from supervisor.command import explain, legacy, plan
from supervisor.settings.mode import Mode
from supervisor.settings.table import WORKER_VARIABLES
from tests.supervisor.command.test_translate import catalog

CURRENT = catalog("0.32.0")


def made(env: dict[str, str], of: Catalog | None = CURRENT) -> plan.Plan:
    return plan.make(env, of)


@pytest.mark.parametrize(
    ("env", "mode", "listens"),
    [
        ({}, Mode.PLAIN, "--host=0.0.0.0 --port=8000"),
        ({"PORT": "5000"}, Mode.PLAIN, "--host=0.0.0.0 --port=8000"),
        ({"RUNPOD_WEBHOOK_GET_JOB": "http://x/$ID?"}, Mode.QUEUE, "--host=127.0.0.1 --port=8000"),
        ({"RUNPOD_ENDPOINT_ID": "e"}, Mode.LOAD_BALANCER, "--host=0.0.0.0 --port=80"),
        (
            {"RUNPOD_ENDPOINT_ID": "e", "PORT": "5000"},
            Mode.LOAD_BALANCER,
            "--host=0.0.0.0 --port=5000",
        ),
        ({"WORKER_MODE": "queue", "VLLM_PORT": "9"}, Mode.QUEUE, "--host=127.0.0.1 --port=9"),
    ],
)
def test_mode_decides_where_the_engine_listens(
    env: dict[str, str], mode: Mode, listens: str
) -> None:
    found = made({"MODEL_NAME": "m", **env})
    assert found.settings.mode is mode
    assert listens in " ".join(found.command)


def test_the_model_is_positional_and_first() -> None:
    found = made({"MODEL_NAME": "org/m", "SERVED_MODEL_NAME": "a b"})
    assert found.command[:3] == ("vllm", "serve", "org/m")
    assert "--model" not in " ".join(found.command)


def test_without_a_model_the_warning_names_what_is_served() -> None:
    (warning,) = made({}).findings.warnings
    assert "MODEL_NAME" in warning.message
    assert "Qwen/Qwen3-0.6B" in warning.message
    assert not made({"VLLM_CONFIG_FILE": "/c.yaml"}).findings.warnings


def test_a_version_that_needs_a_model_refuses_without() -> None:
    (error,) = made({}, catalog("0.6.2")).findings.errors
    assert error.env == "MODEL_NAME"


@pytest.mark.parametrize("model", ["./m", "../m", "~/m", "--help"])
def test_a_model_that_cannot_work_is_refused(model: str) -> None:
    (error,) = made({"MODEL_NAME": model}).findings.errors
    assert error.message.startswith(f"MODEL_NAME={model} ")


def test_extra_arguments_come_last_and_config_is_two_tokens() -> None:
    env = {
        "MODEL_NAME": "m",
        "VLLM_CONFIG_FILE": "/c.yaml",
        "VLLM_EXTRA_ARGS": "--seed 7 --chat-template '{{ x }}'",
    }
    assert made(env).command[-6:] == (
        "--config", "/c.yaml", "--seed", "7", "--chat-template", "{{ x }}",
    )  # fmt: skip


def test_an_open_quote_is_an_error() -> None:
    (error,) = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--x 'y"}).findings.errors
    assert error.env == "VLLM_EXTRA_ARGS"


@pytest.mark.parametrize("extra", ["--api-key s3cret-s3cret", "--api-key=s3cret-s3cret"])
def test_a_secret_in_extra_arguments_moves_to_the_environment(extra: str) -> None:
    found = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": f"{extra} --seed 1"})
    assert found.engine_env == {"VLLM_API_KEY": "s3cret-s3cret"}
    assert found.command[-2:] == ("--seed", "1")
    assert "s3cret" not in " ".join(found.command)
    assert "s3cret" not in str(explain.as_json(found))
    assert "s3cret" not in explain.as_text(found)


def test_a_port_in_extra_arguments_is_followed() -> None:
    assert made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--port 8123"}).settings.engine_port == 8123


def test_every_key_in_extra_arguments_leaves_the_command_line() -> None:
    found = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--api-key first-one second-one --seed 1"})
    assert found.engine_env == {"VLLM_API_KEY": "first-one"}
    assert "second-one" not in " ".join(found.command)


def test_a_host_in_extra_arguments_is_followed() -> None:
    found = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--host 10.0.0.5"})
    assert found.settings.engine_url == "http://10.0.0.5:8000"
    assert made({"MODEL_NAME": "m"}).settings.engine_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize("extra", ["--port 8001", "--uds /tmp/x"])
def test_extra_arguments_that_cannot_work_are_refused(extra: str) -> None:
    assert made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": extra}).findings.errors


def test_the_engine_drains_itself_where_clients_talk_to_it() -> None:
    assert "--shutdown-timeout=30" in made({"MODEL_NAME": "m", "DRAIN_TIMEOUT": "30"}).command
    queue = made({"MODEL_NAME": "m", "WORKER_MODE": "queue"})
    assert not any("shutdown-timeout" in token for token in queue.command)
    own = made({"MODEL_NAME": "m", "SHUTDOWN_TIMEOUT": "5"})
    assert [t for t in own.command if "shutdown" in t] == ["--shutdown-timeout=5"]


def test_the_engine_environment_is_the_users_without_ours() -> None:
    env = {
        "MODEL_NAME": "m",
        "PATH": "/bin",
        "PYTHONPATH": "/src",
        "VLLM_PORT": "8000",
        "VLLM_LOGGING_LEVEL": "DEBUG",
        "HF_TOKEN": "t",
        "RUNPOD_AI_API_KEY": "k",
        "RUNPOD_POD_ID": "p",
    }
    assert plan.engine_environment(env, made(env)) == {
        "PATH": "/bin",
        "VLLM_LOGGING_LEVEL": "DEBUG",
        "HF_TOKEN": "t",
        "RUNPOD_POD_ID": "p",
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


def test_the_ports_must_differ() -> None:
    (error,) = made({"MODEL_NAME": "m", "PORT_HEALTH": "8000"}).findings.errors
    assert error.env == "PORT_HEALTH"


def test_load_balancer_mode_warns_without_a_health_port() -> None:
    env = {"MODEL_NAME": "m", "RUNPOD_ENDPOINT_ID": "e"}
    assert [warning.env for warning in made(env).findings.warnings] == ["PORT_HEALTH"]
    assert not made({**env, "PORT_HEALTH": "8001"}).findings.warnings


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


def test_without_a_catalogue_the_rest_still_works() -> None:
    found = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--seed 1", "MAX_MODEL_LEN": "4"}, None)
    assert found.command[-2:] == ("--seed", "1")
    assert found.vllm_version is None


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


def test_certificates_in_extra_arguments_are_followed() -> None:
    tls = "--ssl-certfile /c.pem --ssl-keyfile=/k.pem"
    found = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": tls})
    assert found.settings.engine_url == "https://127.0.0.1:8000"
    queue = made({"MODEL_NAME": "m", "WORKER_MODE": "queue", "VLLM_EXTRA_ARGS": tls})
    assert [error.env for error in queue.findings.errors] == ["VLLM_EXTRA_ARGS"]


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
        said: list[Any] = [*findings.settings, *findings.ignored]
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


def test_options_cut_short_are_followed() -> None:
    found = made(
        {"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--ssl_certfile=/x --ssl_keyf /y --por 9001"}
    )
    assert found.settings.engine_url == "https://127.0.0.1:9001"


def test_a_configuration_file_is_not_overruled_by_a_default() -> None:
    file = {"MODEL_NAME": "m", "VLLM_CONFIG_FILE": "/c.yaml"}
    assert not [token for token in made(file).command if "shutdown" in token]
    assert "--shutdown-timeout=9" in made({**file, "DRAIN_TIMEOUT": "9"}).command
    rows = [s.env for s in made({**file, "DRAIN_TIMEOUT": "9"}).findings.settings]
    assert rows.count("DRAIN_TIMEOUT") == 1


@pytest.mark.parametrize(
    ("version", "env", "winner", "token"),
    [
        ("0.32.0", {"DISABLE_LOGGING_REQUEST": "true", "DISABLE_LOG_REQUESTS": "false"},
         "DISABLE_LOGGING_REQUEST", "--no-enable-log-requests"),
        ("0.32.0", {"ENABLE_LOG_REQUESTS": "true", "DISABLE_LOG_REQUESTS": "true"},
         "DISABLE_LOG_REQUESTS", "--no-enable-log-requests"),
        ("0.33.0", {"ENABLE_LOG_REQUESTS": "true", "DISABLE_LOG_REQUESTS": "true"},
         "ENABLE_LOG_REQUESTS", "--enable-log-requests"),
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


@pytest.mark.parametrize(
    "env",
    [
        {"SPECULATIVE_CONFIG": "[1]", "SPECULATIVE_MODEL": "x"},
        {"HF_OVERRIDES": "foo.bar", "ROPE_THETA": "10000"},
        {"GUIDED_DECODING_BACKEND": "xgrammar", "STRUCTURED_OUTPUTS_CONFIG": '"xgrammar"'},
    ],
)
def test_what_cannot_be_merged_is_an_error(env: dict[str, str]) -> None:
    assert made({"MODEL_NAME": "m", **env}).findings.errors


@pytest.mark.parametrize("version", ["0.10.2", "0.14.1"])
def test_the_log_of_requests_where_the_old_option_is_without_effect(version: str) -> None:
    found = made({"MODEL_NAME": "m", "DISABLE_LOG_REQUESTS": "false"}, catalog(version))
    assert "--enable-log-requests" in found.command


def test_a_port_that_does_not_count_is_named() -> None:
    found = made({"MODEL_NAME": "m", "PORT": "9000"})
    assert [ignored.env for ignored in found.findings.ignored] == ["PORT"]
    of_kubernetes = made({"MODEL_NAME": "m", "VLLM_PORT": "tcp://10.96.0.7:80"})
    assert [ignored.env for ignored in of_kubernetes.findings.ignored] == ["VLLM_PORT"]
    assert "--port=8000" in of_kubernetes.command
    assert of_kubernetes.findings.errors == []
    balanced = made({"MODEL_NAME": "m", "WORKER_MODE": "load-balancer", "VLLM_PORT": "9"})
    assert [ignored.env for ignored in balanced.findings.ignored] == ["VLLM_PORT"]
