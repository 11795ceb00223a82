"""What stands open is said, and nothing is said where nobody can come."""

from __future__ import annotations

import pytest

from supervisor.command import plan
from supervisor.models.placement import OnDisk
from tests.supervisor.command.test_translate import VERSIONS, catalog

TRUSTED = frozenset({"trust-remote-code"})
CURRENT = catalog("0.32.0")


def made(**env: str) -> plan.Plan:
    return plan.make({"MODEL_NAME": "m", "PORT_HEALTH": "8001", **env}, CURRENT)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "VLLM_API_KEY is not set, and the engine listens on 0.0.0.0, port 8000: whoever"),
        ({"WORKER_MODE": "load-balancer"}, "the engine listens on 0.0.0.0, port 80:"),
        ({"VLLM_EXTRA_ARGS": "--host 10.0.0.5"}, "the engine listens on 10.0.0.5, port 8000:"),
        ({"VLLM_EXTRA_ARGS": "--host ::"}, "the engine listens on ::, port"),
        ({"VLLM_API_KEY": "s", "GATE": "0"}, "no gate stands, and the engine listens on 0.0.0.0"),
        (
            {"VLLM_API_KEY": "s", "WORKER_MODE": "queue", "VLLM_EXTRA_ARGS": "--host 0.0.0.0"},
            "VLLM_API_KEY closes /v1, /v2, /inference and /cohere alone; open are /invocations",
        ),
    ],
)
def test_a_listener_that_others_reach(env: dict[str, str], said: str) -> None:
    found = made(**env).listener
    assert found is not None
    assert said in found.message


@pytest.mark.parametrize(
    "env",
    [
        {"VLLM_API_KEY": "s"},
        {"WORKER_MODE": "queue"},
        {"VLLM_EXTRA_ARGS": "--host 127.0.0.1"},
        {"VLLM_EXTRA_ARGS": "--host ::1"},
        {"VLLM_EXTRA_ARGS": "--host localhost"},
    ],
)
def test_one_that_nobody_else_reaches(env: dict[str, str]) -> None:
    assert made(**env).listener is None


@pytest.mark.parametrize(
    "name",
    [
        "VLLM_SERVER_DEV_MODE",
        "VLLM_ALLOW_INSECURE_SERIALIZATION",
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING",
        "TRUST_REMOTE_CODE",
    ],
)
@pytest.mark.parametrize("mode", ["plain", "queue"])
def test_each_switch_has_a_line(name: str, mode: str) -> None:
    for on in ("1", "true"):
        (warning,) = made(**{name: on, "WORKER_MODE": mode}).findings.warnings
        assert (warning.env, bool(warning.suggestion)) == (name, True)
        assert warning.message.startswith(f"{name} is on: ")
    for off in ("0", "false", ""):
        assert made(**{name: off, "WORKER_MODE": mode}).findings.warnings == ()


def test_nobody_is_told_to_set_what_is_set() -> None:
    (warning,) = made(TRUST_REMOTE_CODE="1", MODEL_REVISION="a" * 40).findings.warnings
    assert warning.suggestion is not None
    assert not warning.suggestion.startswith("set MODEL_REVISION")


@pytest.mark.parametrize(
    ("extra", "of"),
    [
        ("", ["VLLM_CONFIG_FILE"]),
        ("--trust-remote-code", ["TRUST_REMOTE_CODE"]),
        ("--no-trust-remote-code", []),
    ],
)
def test_code_that_vllms_own_file_lets_in(extra: str, of: list[str]) -> None:
    """What stands on the command line wins over it."""
    env, disk = {"MODEL_NAME": "m", "VLLM_API_KEY": "s"}, OnDisk(turned_on=TRUSTED)
    found = plan.make({**env, "VLLM_EXTRA_ARGS": extra}, CURRENT, disk).findings.warnings
    assert [each.env for each in found] == of
    assert all("is on: the engine runs code" in each.message for each in found)


def test_a_server_without_middleware_that_vllms_own_file_starts() -> None:
    env, disk = {"MODEL_NAME": "m", "VLLM_API_KEY": "s"}, OnDisk(turned_on=frozenset({"grpc"}))
    (warning,) = plan.make(env, CURRENT, disk).findings.warnings
    assert warning.env == "VLLM_CONFIG_FILE"
    assert warning.message.startswith("no gate stands before the server that --grpc starts")


@pytest.mark.parametrize("version", VERSIONS)
def test_code_that_comes_with_a_model_however_it_is_asked_for(version: str) -> None:
    env = {"MODEL_NAME": "m", "VLLM_EXTRA_ARGS": "--trust-remote-code"}
    found = plan.make(env, catalog(version)).findings.warnings
    assert [each.env for each in found] == ["TRUST_REMOTE_CODE"]


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({"VLLM_EXTRA_ARGS": "--grpc"}, "VLLM_EXTRA_ARGS"),
        ({"VLLM_USE_RUST_FRONTEND": "1"}, "VLLM_USE_RUST_FRONTEND"),
    ],
)
def test_a_server_that_loads_no_middleware(env: dict[str, str], name: str) -> None:
    (warning,) = made(VLLM_API_KEY="s", **env).findings.warnings
    assert (warning.env, "no gate stands before" in warning.message) == (name, True)
    assert made(**env).findings.warnings == ()  # without a key all is open, and that is said
