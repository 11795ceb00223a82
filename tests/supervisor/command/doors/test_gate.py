"""Where the gate stands, what it is told, and that no key gets anywhere else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from supervisor.catalog import Catalog
from supervisor.command import explain, plan
from supervisor.command.doors import gate
from supervisor.findings import Fault, Remark
from supervisor.models.placement import OnDisk
from tests.processes import ROOT
from tests.supervisor.command.test_translate import VERSIONS, catalog

CURRENT = catalog("0.32.0")
OPTION = "--middleware=vllm_supervisor_gate.Gate"


def made(env: dict[str, str], of: Catalog | None = CURRENT) -> plan.Plan:
    return plan.make({"MODEL_NAME": "m", **env}, of)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", ["plain", "load-balancer"])
def test_it_stands_where_clients_need_a_key(version: str, mode: str) -> None:
    found = made(
        {"VLLM_API_KEY": "sesame", "WORKER_MODE": mode, "PORT_HEALTH": "8001"}, catalog(version)
    )
    assert OPTION in found.command
    assert not [*found.findings.warnings, *found.findings.errors]
    assert found.listener is None
    told = found.engine_env
    assert told["PYTHONPATH"] == str(gate.FOLDER)
    assert told["GATE_SECRET_DIGESTS"] == digest("sesame")
    assert told["GATE_BODY_BYTES"] == str(64 * 1024 * 1024)
    assert "VLLM_API_KEY" not in told  # as it is in the environment
    (row,) = [row for row in found.findings.applied if row.env == "GATE"]
    assert "bodies over 64 MB" in str(row.note)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"VLLM_API_KEY": ""},
        {"VLLM_API_KEY": "  "},
        {"VLLM_API_KEY": "None"},
        {"VLLM_API_KEY": "sesame", "GATE": "0"},
        {"VLLM_API_KEY": "sesame", "GATE": "false"},
        {"VLLM_API_KEY": "sesame", "WORKER_MODE": "queue"},
        {"VLLM_API_KEY": "sesame", "RUNPOD_WEBHOOK_GET_JOB": "http://x/$ID?"},
    ],
)
def test_it_does_not_stand(env: dict[str, str]) -> None:
    found = made(env)
    assert not any("middleware" in token for token in found.command)
    assert not {"PYTHONPATH", "GATE_SECRET_DIGESTS"} & found.engine_env.keys()
    assert not found.findings.errors


def test_vllm_gets_the_first_of_several_keys() -> None:
    found = made({"VLLM_API_KEY": " one-key , two-key,,one-key,"})
    assert found.engine_env["VLLM_API_KEY"] == found.key == "one-key"
    assert found.engine_env["GATE_SECRET_DIGESTS"] == f"{digest('one-key')},{digest('two-key')}"
    environment = plan.engine_environment({"VLLM_API_KEY": "one-key,two-key"}, found)
    assert "two-key" not in str(environment)
    shown = json.dumps(explain.as_json(found)) + explain.as_text(found)
    for secret in ("one-key", "two-key", digest("one-key"), digest("two-key")):
        assert secret not in shown + " ".join(found.command)


@pytest.mark.parametrize("extra", ["--api-key a-key b-key --seed 1", "--api-key=a-key,b-key"])
def test_keys_that_are_written_as_an_option_are_keys(extra: str) -> None:
    found = made({"VLLM_API_KEY": "another", "VLLM_EXTRA_ARGS": extra})
    assert found.engine_env["VLLM_API_KEY"] == "a-key"
    assert found.engine_env["GATE_SECRET_DIGESTS"] == f"{digest('a-key')},{digest('b-key')}"
    assert OPTION in found.command


@pytest.mark.parametrize("env", [{"GATE": "0"}, {"WORKER_MODE": "queue", "VLLM_EXTRA_ARGS": ""}])
def test_without_it_vllm_knows_the_first_alone(env: dict[str, str]) -> None:
    found = made({"VLLM_API_KEY": "one,two", **env})
    assert found.engine_env["VLLM_API_KEY"] == "one"
    said = [each.message for each in found.findings.warnings if each.env == "VLLM_API_KEY"]
    one = ["VLLM_API_KEY has 2 keys, of which vLLM itself knows one: the first"]
    assert said == (one if "GATE" in env else [])


@pytest.mark.parametrize("key", ["schlüssel-1", "a\x00b", "one,zwölf", "a\tb", "\u200bkey"])
@pytest.mark.parametrize("mode", ["plain", "queue"])
def test_a_key_that_no_client_can_send_is_refused(key: str, mode: str) -> None:
    found = made({"VLLM_API_KEY": key, "WORKER_MODE": mode})
    (error,) = found.findings.errors
    assert error.message.startswith("VLLM_API_KEY=*** has ")
    assert key not in str(error)


def test_a_comma_is_no_key() -> None:
    (error,) = made({"VLLM_API_KEY": " , "}).findings.errors
    assert error.message == "VLLM_API_KEY=*** has no key in it"


def test_a_middleware_of_the_users_own_comes_after_it() -> None:
    found = made({"VLLM_API_KEY": "sesame", "VLLM_EXTRA_ARGS": "--middleware my.Own"})
    tokens = [token for token in found.command if "iddleware" in token or token == "my.Own"]
    assert tokens == [OPTION, "--middleware", "my.Own"]


def test_the_users_python_path_is_kept() -> None:
    ours = f"{ROOT}:{gate.FOLDER}:{ROOT}/"
    env = {"VLLM_API_KEY": "sesame", "PYTHONPATH": f"/my own:{ours}::/other"}
    assert made(env).engine_env["PYTHONPATH"] == f"{gate.FOLDER}:/my own:/other"
    environment = plan.engine_environment(env, made({**env, "VLLM_API_KEY": ""}))
    assert environment["PYTHONPATH"] == "/my own:/other"
    assert gate.python_path({"PYTHONPATH": ours}) == {}


def test_a_folder_with_a_colon_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "FOLDER", Path("/a:b/gate"))
    (error,) = made({"VLLM_API_KEY": "sesame"}).findings.errors
    assert error.env == "GATE"
    assert "takes no folder with a colon" in error.message


def test_a_vllm_without_middleware_gets_a_warning() -> None:
    old = Catalog(CURRENT.version, tuple(o for o in CURRENT.options if o.flag != gate.FLAG))
    found = made({"VLLM_API_KEY": "sesame"}, old)
    assert OPTION not in found.command
    (warning,) = [each for each in found.findings.warnings if each.env == "GATE"]
    assert "has no --middleware" in warning.message
    assert "open are /invocations" in warning.message


def test_settings_without_a_gate_are_said_to_do_nothing() -> None:
    rows = made({"GATE_BODY_MB": "7"}).findings.ignored
    assert [(row.env, row.reason) for row in rows] == [
        ("GATE_BODY_MB", "no gate stands: VLLM_API_KEY is not set")
    ]
    queue = made({"GATE": "1", "GATE_BODY_MB": "7", "WORKER_MODE": "queue"}).findings.ignored
    assert {row.env for row in queue} == {"GATE", "GATE_BODY_MB"}


def test_routes_and_bodies() -> None:
    env = {"VLLM_API_KEY": "s", "ALLOWED_ROUTES": "/sleep /wake_up,/v1/x", "GATE_BODY_MB": "2"}
    found = made(env)
    assert found.engine_env["GATE_ROUTES"] == "/sleep,/wake_up,/v1/x"
    assert found.engine_env["GATE_BODY_BYTES"] == str(2 << 20)


@pytest.mark.parametrize(
    "text",
    ["/v1/*", "*", "v1/models", "/sleep/", "/a/../b", "/x?y", "/v1/{id}", "https://x/y", "/"],
)
def test_what_is_no_route_is_refused(text: str) -> None:
    (error,) = made({"ALLOWED_ROUTES": f"/sleep,{text}"}).findings.errors
    assert f"names {text}, which is no route" in error.message


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"VLLM_API_KEY": "s"}, "ALLOWED_ROUTES opens /sleep, /v1/x to every client with a key"),
        ({"WORKER_MODE": "queue"}, "ALLOWED_ROUTES opens /sleep, /v1/x to every job"),
        ({}, ""),
    ],
)
def test_what_was_widened_is_said(env: dict[str, str], said: str) -> None:
    found = made({**env, "ALLOWED_ROUTES": "/sleep,/tokenize,/v1/x"})
    assert gate.widened(found.settings, found.engine_env) == said
    none = made({**env, "ALLOWED_ROUTES": "/tokenize"})
    assert gate.widened(none.settings, none.engine_env) == ""


@pytest.mark.parametrize(
    ("env", "errors", "word"),
    [
        ({}, 0, "is read by vLLM alone: it closes /v1"),
        ({"WORKER_MODE": "queue"}, 1, "is read by vLLM alone: it would refuse every job"),
        ({"VLLM_API_KEY": "s"}, 1, "wins in vLLM over VLLM_API_KEY: no key would open both"),
        ({"VLLM_EXTRA_ARGS": "--api-key s"}, 1, "wins in vLLM over VLLM_API_KEY"),
        ({"VLLM_API_KEY": "s", "GATE": "0"}, 1, "wins in vLLM over VLLM_API_KEY"),
    ],
)
def test_a_key_in_vllms_own_file(env: dict[str, str], errors: int, word: str) -> None:
    """The engine takes it, and asks for no other: those of the worker would open nothing."""
    disk = OnDisk(turned_on=frozenset({"api-key"}))
    found = plan.make({"MODEL_NAME": "m", **env}, CURRENT, disk).findings
    assert len(found.errors) == errors
    every: list[Remark | Fault] = [*found.warnings, *found.errors]
    (said,) = [each for each in every if each.env == "VLLM_CONFIG_FILE"]
    assert word in said.message
    assert said.suggestion == "move it into VLLM_API_KEY"


@pytest.mark.parametrize(
    ("variable", "said"), [("another", True), ("", False), ("a-key,b-key", False)]
)
def test_who_wins_of_two_is_said(variable: str, said: bool) -> None:
    env = {"VLLM_API_KEY": variable, "VLLM_EXTRA_ARGS": "--api-key a-key,b-key"}
    warnings = [each for each in made(env).findings.warnings if each.env == "VLLM_API_KEY"]
    assert [each.message for each in warnings] == [
        "--api-key is written as well: it wins, and VLLM_API_KEY opens nothing"
    ] * said
