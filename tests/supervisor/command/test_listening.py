"""The worker follows what the user says of the engine's address, port and certificates."""

from __future__ import annotations

import pytest

from supervisor.catalog import Catalog
from supervisor.command import command_line, plan
from supervisor.settings.mode import Mode
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


def test_a_port_in_extra_arguments_is_followed() -> None:
    assert made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--port 8123"}).settings.engine_port == 8123


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


@pytest.mark.parametrize(
    ("env", "port", "remedy"),
    [
        ({"PORT_HEALTH": "8000"}, 8000, "set PORT_HEALTH=8001"),
        ({"VLLM_PORT": "8001"}, 8001, "set PORT_HEALTH=8002"),
        ({"VLLM_EXTRA_ARGS": "--port 8001"}, 8001, "set PORT_HEALTH=8002"),
        ({"VLLM_PORT": "65535", "PORT_HEALTH": "65535"}, 65535, "set PORT_HEALTH=8001"),
    ],
)
def test_the_ports_must_differ(env: dict[str, str], port: int, remedy: str) -> None:
    """And what the remedy says helps."""
    (error,) = made({"MODEL_NAME": "m", **env}).findings.errors
    assert error.env == "PORT_HEALTH"
    assert error.message == f"the engine and the control port both use {port}"
    assert error.suggestion == remedy
    name, _, value = remedy.removeprefix("set ").partition("=")
    assert not made({"MODEL_NAME": "m", **env, name: value}).findings.errors


def test_certificates_in_extra_arguments_are_followed() -> None:
    tls = "--ssl-certfile /c.pem --ssl-keyfile=/k.pem"
    found = made({"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": tls})
    assert found.settings.engine_url == "https://127.0.0.1:8000"
    queue = made({"MODEL_NAME": "m", "WORKER_MODE": "queue", "VLLM_EXTRA_ARGS": tls})
    assert [error.env for error in queue.findings.errors] == ["VLLM_EXTRA_ARGS"]


def test_options_cut_short_are_followed() -> None:
    found = made(
        {"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--ssl_certfile=/x --ssl_keyf /y --por 9001"}
    )
    assert found.settings.engine_url == "https://127.0.0.1:9001"


def test_a_configuration_file_is_not_overruled_by_a_default() -> None:
    file = {"MODEL_NAME": "m", "VLLM_CONFIG_FILE": "/c.yaml"}
    assert not [token for token in made(file).command if "shutdown" in token]
    assert "--shutdown-timeout=9" in made({**file, "DRAIN_TIMEOUT": "9"}).command
    rows = [s.env for s in made({**file, "DRAIN_TIMEOUT": "9"}).findings.applied]
    assert rows.count("DRAIN_TIMEOUT") == 1


# --- the worker's own probes in the engine's log ---

QUIET = "--disable-access-log-for-endpoints"


def quiet(env: dict[str, str], version: str = "0.32.0") -> list[str]:
    command = made({"MODEL_NAME": "m", **env}, catalog(version)).command
    return [token.removeprefix(QUIET) for token in command if token.startswith(QUIET)]


@pytest.mark.parametrize("version", ["0.27.1", "0.32.0", "0.33.0"])
def test_the_workers_own_probes_are_not_logged(version: str) -> None:
    assert quiet({}, version) == ["=/health,/metrics"]
    found = made({"MODEL_NAME": "m"}, catalog(version)).findings.applied
    (row,) = [row for row in found if row.flag == QUIET]
    assert (row.env, row.value, row.source) == (
        "DISABLE_ACCESS_LOG_FOR_ENDPOINTS", "/health,/metrics", "worker"
    )  # fmt: skip


@pytest.mark.parametrize("version", ["0.6.2", "0.10.2", "0.14.1"])
def test_an_older_version_has_no_such_option(version: str) -> None:
    assert quiet({}, version) == []
    assert not made({"MODEL_NAME": "m"}, None).options.last(QUIET)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"DISABLE_ACCESS_LOG_FOR_ENDPOINTS": "/ping"}, ["=/ping"]),
        ({"DISABLE_UVICORN_ACCESS_LOG": "true"}, []),
        ({"DISABLE_UVICORN_ACCESS_LOG": "false"}, []),
        ({"LOG_CONFIG_FILE": "/l.json"}, []),
        ({"VLLM_CONFIG_FILE": "/c.yaml"}, []),
        ({"VLLM_EXTRA_ARGS": "--disable-access-log-for-endpoints="}, ["="]),
        ({"VLLM_EXTRA_ARGS": "--no-disable-uvicorn-access-log"}, []),
    ],
)
def test_who_says_something_of_access_logs_has_his_way(
    env: dict[str, str], said: list[str]
) -> None:
    assert quiet(env) == said


def test_what_is_written_behind_the_images_name_is_not_said_to_be_in_a_variable() -> None:
    def of(*words: str, extra: str = "") -> plan.Plan:
        env = {"MODEL_NAME": "m", "WORKER_MODE": "queue", "VLLM_EXTRA_ARGS": extra}
        written = command_line.read(words, env, CURRENT)
        return plan.make(written.env, CURRENT, written=written)

    assert of("--port", "8123", extra="--port 9").settings.listening[0][0] == "--port"
    assert of(extra="--port 9").settings.listening[0][0] == "--port in VLLM_EXTRA_ARGS"
    for words in (("--uds", "/x"), ("--ssl-certfile", "/x"), ("--port", "70000")):
        (fault,) = (each for each in of(*words).findings.errors if words[0] in each.message)
        assert fault.env == words[0]
        assert "VLLM_EXTRA_ARGS" not in fault.message
        (fault,) = (
            each
            for each in of(extra=" ".join(words)).findings.errors
            if words[0] in each.message and "in VLLM_EXTRA_ARGS" in each.message
        )
        assert fault.env == "VLLM_EXTRA_ARGS"
