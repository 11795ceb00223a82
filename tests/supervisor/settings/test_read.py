"""What the supervisor makes of its settings."""

from __future__ import annotations

import pytest

from supervisor.settings import table
from supervisor.settings.mode import Mode
from supervisor.settings.read import Settings, read

EVERYWHERE = "0.0.0.0"  # noqa: S104 - only compared
BALANCED = {"WORKER_MODE": "load-balancer", "PORT_HEALTH": "8001"}


def test_without_any_everything_has_its_default_and_nothing_is_said() -> None:
    settings, findings = read({})
    assert settings == Settings()
    assert settings[table.STARTUP_TIMEOUT] == table.STARTUP_TIMEOUT.default
    assert (settings.engine_port, settings.control_port) == (8000, 8001)
    assert not [*findings.applied, *findings.ignored, *findings.warnings, *findings.errors]


@pytest.mark.parametrize(
    ("env", "mode", "host", "port"),
    [
        ({"VLLM_PORT": "9"}, Mode.PLAIN, EVERYWHERE, 9),
        ({"WORKER_MODE": "QUEUE"}, Mode.QUEUE, "127.0.0.1", 8000),
        (BALANCED, Mode.LOAD_BALANCER, EVERYWHERE, 80),
        ({**BALANCED, "PORT": "5000"}, Mode.LOAD_BALANCER, EVERYWHERE, 5000),
        ({"WORKER_MODE": "plain", "RUNPOD_ENDPOINT_ID": "e"}, Mode.PLAIN, EVERYWHERE, 8000),
        ({"WORKER_MODE": "?", "RUNPOD_WEBHOOK_GET_JOB": "h"}, Mode.QUEUE, "127.0.0.1", 8000),
    ],
)
def test_the_mode_decides_where_the_engine_listens(
    env: dict[str, str], mode: Mode, host: str, port: int
) -> None:
    settings, _ = read(env)
    assert (settings.mode, settings.engine_host, settings.engine_port) == (mode, host, port)


@pytest.mark.parametrize(
    ("env", "delay"),
    [
        ({}, 0.0),
        ({"DRAIN_DELAY": "3"}, 3.0),
        (BALANCED, 15.0),
        ({**BALANCED, "DRAIN_DELAY": "0"}, 0.0),
        ({"WORKER_MODE": "queue"}, 0.0),
    ],
)
def test_a_balancer_has_time_to_look(env: dict[str, str], delay: float) -> None:
    assert read(env)[0].drain_delay == delay


@pytest.mark.parametrize(
    ("env", "warms", "file"),
    [
        ({}, False, None),
        ({"WARMUP": "1"}, True, None),
        ({"WARMUP": "/w.jsonl"}, True, "/w.jsonl"),
        (BALANCED, True, None),
        ({"WORKER_MODE": "queue"}, True, None),
        ({"WORKER_MODE": "queue", "WARMUP": "0"}, False, None),
    ],
)
def test_whoever_pays_for_each_start_has_its_engine_warmed_up(
    env: dict[str, str], warms: bool, file: str | None
) -> None:
    settings, _ = read(env)
    assert (settings.warms, settings.warmup_file) == (warms, file)


@pytest.mark.parametrize("path", ["/ping", "/healthz", "/v1/health-check/", "/status/x"])
def test_the_platforms_own_path_is_taken_as_it_is(path: str) -> None:
    settings, findings = read({"HEALTH_CHECK_PATH": path})
    assert settings.health_path == path
    assert findings.warnings == ()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/status",
        "/status/",
        "/metrics",
        "ping",
        "/{x}",
        "/a?b=1",
        "//a",
        "/a b",
        "/é",
        "http://x/ping",
    ],
)
def test_a_path_that_cannot_be_served_is_a_warning(path: str) -> None:
    settings, findings = read({"HEALTH_CHECK_PATH": path})
    assert settings.health_path == "/ping"
    (warning,) = findings.warnings
    assert warning.message.startswith(f"HEALTH_CHECK_PATH={path} is not served: ")
    assert findings.errors == ()


def test_what_is_set_is_listed_in_the_order_of_the_table() -> None:
    env = {"MAX_RESTARTS": "2", "LOG_CONTENT": "1", "WORKER_MODE": "plain", "BAKED_MODELS": " /m "}
    settings, findings = read(env)
    assert [(row.env, row.value, row.source) for row in findings.applied] == [
        ("WORKER_MODE", "plain", "worker"),
        ("MAX_RESTARTS", "2", "worker"),
        ("BAKED_MODELS", "/m", "worker"),
        ("LOG_CONTENT", "1", "worker"),
    ]
    assert settings[table.MAX_RESTARTS] == 2


def test_what_queue_mode_needs_is_noted_where_it_is_not_there() -> None:
    """No warning: a plan is shown on other machines than the platform's."""
    wanted = "a start needs RUNPOD_WEBHOOK_GET_JOB as well, which RunPod sets on a queue endpoint"
    for env, note in (({}, wanted), ({"RUNPOD_WEBHOOK_GET_JOB": "http://x"}, None)):
        _, findings = read({"WORKER_MODE": "queue", **env})
        assert [row.note for row in findings.applied] == [note]
        assert findings.warnings == ()


def test_what_becomes_something_else_is_listed_by_whoever_makes_it() -> None:
    env = {"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "'", "VLLM_CONFIG_FILE": "/c", "BASE_PATH": "/b"}
    _, findings = read(env)
    assert not [*findings.applied, *findings.ignored, *findings.errors]


@pytest.mark.parametrize("row", [row for row in table.TABLE if row.unit], ids=lambda row: row.name)
def test_every_wrong_value_is_an_error_and_none_takes_effect(row: table.Setting[object]) -> None:
    """Also those of the proxy, before a model is loaded for it."""
    env = {row.name: "-1", **(BALANCED if row is table.PORT else {})}
    if row in table.OF_CLUSTER:
        env["NUM_NODES"] = "2"
    settings, findings = read(env)
    (error,) = findings.errors
    assert error.message.startswith(f"{row.name}=-1 is ")
    assert row.name not in {each.env for each in findings.applied}
    assert settings[row] == row.default


@pytest.mark.parametrize("row", table.OF_CLUSTER, ids=lambda row: row.name)
def test_what_is_said_of_other_nodes_is_read_where_there_are_some(
    row: table.Setting[object],
) -> None:
    settings, findings = read({row.name: "?"})
    (ignored,) = findings.ignored
    assert ignored.reason == "this node serves alone: NUM_NODES is not over 1"
    assert settings[row] == row.default
    assert findings.errors == ()


def test_what_platforms_say_of_other_nodes() -> None:
    env = {"LWS_GROUP_SIZE": "2", "MASTER_ADDR": "a", "LWS_LEADER_ADDRESS": "b"}
    settings, findings = read(env)
    assert settings[table.NUM_NODES] == 2
    assert settings[table.PRIMARY_ADDR] == "a"
    assert {row.env: row.note for row in findings.applied} == {
        "LWS_GROUP_SIZE": "as NUM_NODES",
        "MASTER_ADDR": "as PRIMARY_ADDR",
    }


def test_an_address_that_kubernetes_writes_for_a_service_is_no_port() -> None:
    env = {"NUM_NODES": "2", "PRIMARY_PORT": "tcp://10.0.0.1:80", "MASTER_PORT": "1234"}
    settings, findings = read(env)
    assert settings[table.PRIMARY_PORT] == 1234
    assert findings.errors == ()


def test_a_port_that_does_not_count_is_not_read() -> None:
    _, plain = read({"PORT": "many"})
    assert [(each.env, each.reason) for each in plain.ignored] == [
        ("PORT", "VLLM_PORT sets the engine's port in plain mode")
    ]
    _, balanced = read({**BALANCED, "VLLM_PORT": "many"})
    assert [(each.env, each.reason) for each in balanced.ignored] == [
        ("VLLM_PORT", "PORT sets the engine's port in load-balancer mode")
    ]
    assert not [*plain.errors, *balanced.errors]


def test_what_kubernetes_sets_is_named_and_not_read() -> None:
    settings, findings = read({"VLLM_PORT": "tcp://10.96.0.7:80"})
    (ignored,) = findings.ignored
    assert "Kubernetes" in ignored.reason
    assert settings.engine_port == 8000
    assert not findings.errors


def test_the_addresses_of_a_lone_proxy_are_without_effect() -> None:
    settings, findings = read({"ENGINE_URL": "http://x:1", "CONTROL_URL": "http://y:2"})
    assert [each.env for each in findings.ignored] == ["ENGINE_URL", "CONTROL_URL"]
    assert settings.engine_url == "http://127.0.0.1:8000"


def test_a_load_balancer_without_a_port_for_pings_is_warned_of() -> None:
    _, findings = read({"WORKER_MODE": "load-balancer"})
    (warning,) = findings.warnings
    assert warning.env == "PORT_HEALTH"
    assert warning.suggestion == "set PORT_HEALTH=8001 on the endpoint"
    assert not read(BALANCED)[1].warnings


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:8001"),
        (EVERYWHERE, "http://127.0.0.1:8001"),
        ("localhost", "http://127.0.0.1:8001"),
        ("127.0.0.9", "http://127.0.0.9:8001"),
        ("10.0.0.5", "http://127.0.0.1:8001"),
        ("worker-1", "http://127.0.0.1:8001"),
        ("::", "http://127.0.0.1:8001"),
        ("::1", "http://[::1]:8001"),
    ],
)
def test_where_this_machine_reaches_the_control_port(host: str, url: str) -> None:
    settings, _ = read({"CONTROL_HOST": host})
    assert settings.control_url == url


def test_what_will_listen() -> None:
    settings, _ = read({"VLLM_PORT": "9", "PORT_HEALTH": "10", "CONTROL_HOST": "::1"})
    assert settings.listening == (("VLLM_PORT", EVERYWHERE, 9), ("PORT_HEALTH", "::1", 10))
    balanced, _ = read(BALANCED)
    assert balanced.listening[0] == ("PORT", EVERYWHERE, 80)
    assert Settings(engine_tls=True).engine_url == "https://127.0.0.1:8000"


def test_an_old_name_of_a_setting_is_shown_as_such() -> None:
    _, findings = read({"MIN_BATCH_SIZE": "4"})
    (row,) = findings.applied
    assert (row.env, row.value, row.note) == (
        "MIN_BATCH_SIZE",
        "4",
        "an old name of DEFAULT_MIN_BATCH_SIZE",
    )
    _, findings = read({"MIN_BATCH_SIZE": "4", "DEFAULT_MIN_BATCH_SIZE": "5"})
    assert [each.env for each in findings.applied] == ["DEFAULT_MIN_BATCH_SIZE"]
    assert [each.env for each in findings.ignored] == ["MIN_BATCH_SIZE"]


def test_a_first_batch_above_the_largest_is_told() -> None:
    (found,) = read({"DEFAULT_MIN_BATCH_SIZE": "100"})[1].warnings
    assert found.message == (
        "DEFAULT_MIN_BATCH_SIZE=100 is more than DEFAULT_BATCH_SIZE=50, the most tokens in a batch"
    )
    assert read({"DEFAULT_MIN_BATCH_SIZE": "50"})[1].warnings == ()
    assert read({"DEFAULT_MIN_BATCH_SIZE": "100", "DEFAULT_BATCH_SIZE": "x"})[1].errors
