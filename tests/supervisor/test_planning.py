"""A plan is made by what is on this machine, and also where the engine cannot be asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor import planning
from supervisor.catalog import versions
from supervisor.command import spelling
from supervisor.machine import gpus
from tests.supervisor.catalog.test_store import Engine
from tests.supervisor.machine.machines import machine

ENV = {"MODEL_NAME": "m", "MAX_MODEL_LEN": "4096"}


def test_by_a_catalogue() -> None:
    made = planning.by_catalog({**ENV, "SWAP_SPACE": "8"}, versions.load("0.33.0"))
    assert made.vllm_version == "0.33.0"
    assert "--max-model-len=4096" in made.command
    assert [warning.env for warning in made.findings.warnings] == ["SWAP_SPACE", "VLLM_API_KEY"]


def test_by_the_installed_engine_which_is_announced(tmp_path: Path) -> None:
    engine = Engine(tmp_path, f"cat {versions.FOLDER}/vllm-0.32.0.json")
    said: list[str] = []
    env = {**engine.env, **ENV, "VLLM_COMMAND": engine.command}
    made = planning.by_engine(env, said.append)
    assert made.vllm_version is not None
    assert made.findings.warnings == planning.by_engine(env, said.append).findings.warnings
    assert said == ["reading the options of vLLM 9.9.9, once"]


def test_a_start_without_a_catalogue_goes_on(tmp_path: Path) -> None:
    """With an engine that cannot be asked: a warning first, then the rest."""
    engine = Engine(tmp_path, "echo 'ImportError: no torch' >&2; exit 3")
    config = tmp_path / "c.yaml"
    config.touch()
    env = {
        **engine.env,
        **ENV,
        "VLLM_COMMAND": engine.command,
        "VLLM_CONFIG_FILE": str(config),
        "VLLM_EXTRA_ARGS": "--seed 7",
    }
    found = planning.by_engine(env, lambda _line: None)
    assert not found.findings.errors
    assert found.command[-5:] == ("--max-model-len=4096", "--config", str(config), "--seed", "7")
    first = found.findings.warnings[0]
    assert "ImportError: no torch" in first.message
    assert (first.env, first.suggestion) == (
        "VLLM_COMMAND",
        "set the others in VLLM_EXTRA_ARGS or VLLM_CONFIG_FILE",
    )


def test_a_file_that_is_not_there_is_an_error_where_the_engine_would_run(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    gone = tmp_path / "gone"
    env = {**ENV, "ENABLE_LORA": "1", "LORA_MODULES": f"a={gone} b={there} c=org/adapter"}
    catalog = versions.load("0.32.0")
    (error,) = planning.by_catalog(env, catalog, here=True).findings.errors
    assert f"{gone} does not exist on this machine" in error.message
    elsewhere = planning.by_catalog(env, catalog).findings
    assert elsewhere.errors == ()
    assert [each.message for each in elsewhere.warnings][-1:] == [error.message]


@pytest.mark.parametrize("text", [None, "{"])
def test_a_catalogue_that_was_named_and_cannot_be_read(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "catalogue.json"
    if text is not None:
        path.write_text(text)
    env = {**ENV, "ENGINE_CATALOG": str(path)}
    found = planning.by_engine(env, lambda _line: None, or_else="do without")
    first = found.findings.warnings[0]
    assert first.env == "ENGINE_CATALOG"
    assert str(path) in first.message
    assert str(first.suggestion).endswith(", or do without")
    assert "--max-model-len=4096" in found.command


def test_the_settings_alone_need_no_engine() -> None:
    assert planning.settings({"PORT_HEALTH": "9"}).control_port == 9
    assert planning.settings({"PORT_HEALTH": "many"}).control_port == 8001


def test_an_engine_that_is_built_for_cpus_is_divided_among_no_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalogue that was named says nothing of the build that will run."""
    driver, devices = machine(tmp_path, range(2), range(2))
    monkeypatch.setattr(gpus, "DRIVER", driver)
    monkeypatch.setattr(gpus, "DEVICES", devices)
    file = versions.FOLDER / "vllm-0.32.0.json"
    engine = Engine(tmp_path, f"cat {file}")
    assert versions.load("0.32.0").version.endswith("+cpu")
    env = {**engine.env, **ENV, "VLLM_COMMAND": engine.command}
    installed = planning.by_engine(env, lambda _line: None)
    assert (installed.gpus, installed.value("--tensor-parallel-size")) == (0, None)
    named = planning.by_engine({**env, "ENGINE_CATALOG": str(file)}, lambda _line: None)
    assert (named.gpus, named.value("--tensor-parallel-size")) == (2, "2")


def test_the_requests_of_a_warmup_file_are_in_the_plan(tmp_path: Path) -> None:
    file = tmp_path / "warmup.jsonl"
    file.write_text('{"route": "/v1/own", "body": {"x": 1}}\n')
    env = {**ENV, "WARMUP": str(file), "ALLOWED_ROUTES": "/other, /v1/own"}
    made = planning.by_catalog(env, versions.load("0.32.0"), here=True)
    assert made.findings.errors == ()
    assert [(each.route, each.body) for each in made.warmup] == [("/v1/own", {"x": 1})]


def test_a_warmup_file_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "warmup.jsonl"
    file.write_text('{"route": "/v1/completions", "body": {}}\nhello\n')
    made = planning.by_catalog({**ENV, "WARMUP": str(file)}, versions.load("0.32.0"))
    (fault,) = made.findings.errors
    assert fault.env == "WARMUP"
    assert fault.message.startswith(f"WARMUP={file} is not used: line 2 is no JSON")
    assert fault.suggestion is not None
    assert "one request on each line" in fault.suggestion


@pytest.mark.parametrize("here", [True, False])
def test_a_warmup_file_that_is_not_there(tmp_path: Path, here: bool) -> None:
    """An error where the engine would run; elsewhere it may well be on another machine."""
    file = tmp_path / "none.jsonl"
    made = planning.by_catalog({**ENV, "WARMUP": str(file)}, versions.load("0.32.0"), here=here)
    told = [*made.findings.errors] if here else [*made.findings.warnings[-1:]]
    assert [each.message for each in told] == [
        f"WARMUP={file} cannot be read: No such file or directory"
    ]


@pytest.mark.parametrize("here", [True, False])
def test_a_collectors_certificate_that_is_not_there(tmp_path: Path, here: bool) -> None:
    there = tmp_path / "there.pem"
    there.touch()
    env = {
        **ENV,
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:4318",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "gone.pem"),
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": str(there),
    }
    found = planning.by_catalog(env, versions.load("0.32.0"), here=here).findings
    told = [*found.errors] if here else [*found.warnings]
    [said] = [each for each in told if each.env.startswith("OTEL_")]
    assert said.message == (
        f"OTEL_EXPORTER_OTLP_CERTIFICATE={tmp_path}/gone.pem does not exist on this machine"
    )


def test_a_collectors_certificate_is_looked_for_from_two_folders() -> None:
    env = {**ENV, "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:4318"}
    env["OTEL_EXPORTER_OTLP_CERTIFICATE"] = "etc/passwd"
    found = planning.by_catalog(env, versions.load("0.32.0"), here=True).findings
    [fault] = found.errors
    assert fault.message == "OTEL_EXPORTER_OTLP_CERTIFICATE=etc/passwd is no absolute path"


def test_opentelemetrys_variables_are_handed_on_as_they_count() -> None:
    """Its SDK strips nothing: with a blank behind it, a sampler is one that nobody knows."""
    env = {
        **ENV,
        "OTEL_EXPORTER_OTLP_ENDPOINT": '"http://c:4318"',
        "OTEL_TRACES_SAMPLER": "always_off ",
        "OTEL_SPAN_EVENT_COUNT_LIMIT": "",
    }
    made = planning.by_catalog(env, versions.load("0.32.0"))
    assert made.findings.errors == ()
    assert {k: text for k, text in made.environment.items() if k.startswith("OTEL_")} == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
        "OTEL_TRACES_SAMPLER": "always_off",
    }


def test_an_address_of_another_machine_is_an_error_where_the_engine_would_run() -> None:
    env = {**ENV, "NUM_NODES": "2", "NODE_ADDR": "192.0.2.9/24", "NUM_TRAINERS": "2"}
    catalog = versions.load("0.33.0")
    found = planning.by_catalog(env, catalog, here=True).findings.errors
    assert [fault.env for fault in found] == ["NODE_RANK", "PRIMARY_ADDR", "NODE_ADDR"]
    assert found[-1].message == "NODE_ADDR=192.0.2.9 is not an address of this machine"
    assert (found[-1].suggestion or "").startswith(("it has ", "give one"))
    elsewhere = planning.by_catalog(env, catalog).findings.errors
    assert [fault.env for fault in elsewhere] == ["NODE_RANK", "PRIMARY_ADDR"]
    env["NODE_ADDR"] = "127.0.0.1"
    here = planning.by_catalog(env, catalog, here=True).findings.errors
    assert [fault.env for fault in here] == ["NODE_RANK", "PRIMARY_ADDR"]


def test_a_node_with_fewer_gpus_than_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, devices = machine(tmp_path, range(2), range(2))
    monkeypatch.setattr(gpus, "DRIVER", driver)
    monkeypatch.setattr(gpus, "DEVICES", devices)
    env = {**ENV, "NUM_NODES": "2", "NODE_RANK": "0", "PRIMARY_ADDR": "a", "CLUSTER_TOKEN": "t"}
    catalog = versions.load("0.33.0")
    for count, said in (("8", ["NUM_TRAINERS=8, and this machine shows 2"]), ("2", [])):
        found = planning.by_catalog({**env, "NUM_TRAINERS": count}, catalog, here=True).findings
        of_gpus = [each.message for each in found.warnings if each.env == "NUM_TRAINERS"]
        assert of_gpus == said


#: JSON that is too deep for Python, or for what is made of it; numbers with too many digits for it.
ODD = [
    "[" * 2000,
    "[" * 900 + "]" * 900,
    '{"a":' * 2000 + "1" + "}" * 2000,
    "7" * 5000,
    '{"a":' + "7" * 5000 + "}",
]
ROPE = '{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":8192,"rope_theta":1e6}'


@pytest.mark.parametrize("version", ["0.6.2", "0.32.0"])
def test_no_value_of_any_variable_ends_in_a_traceback(version: str) -> None:
    catalog = versions.load(version)
    for name in sorted(spelling.everything(catalog) | {"CUDA_VISIBLE_DEVICES"}):
        for text in ODD:
            planning.by_catalog({**ENV, "ROPE_SCALING": ROPE, name: text}, catalog)


@pytest.mark.parametrize("text", ODD[:3])
def test_json_that_is_too_deep_is_refused(text: str) -> None:
    env = {**ENV, "HF_OVERRIDES": text}
    (error,) = planning.by_catalog(env, versions.load("0.32.0")).findings.errors
    assert "is not JSON: brackets are nested more than 100 deep" in error.message


PIPE = "is a pipe or a device, not a file"


@pytest.mark.parametrize("here", [True, False])
def test_a_pipe_or_a_folder_that_a_setting_names_is_told_and_never_read(
    tmp_path: Path, here: bool
) -> None:
    """It would be read for ever, or until no memory is left."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for name in ("VLLM_CONFIG_FILE", "CHAT_TEMPLATE", "WARMUP"):
        for path, why in ((pipe, PIPE), (tmp_path, "is a folder, not a file")):
            env = {**ENV, name: str(path)}
            found = planning.by_catalog(env, versions.load("0.32.0"), here=here).findings
            told = found.errors if here or name == "WARMUP" else found.warnings
            assert f"{name}={path} {why}" in [each.message for each in told]


def test_a_folder_as_a_plugin_is_a_warning() -> None:
    """Without it vLLM starts."""
    env = {**ENV, "TOOL_PARSER_PLUGIN": "/dev/zero"}
    found = planning.by_catalog(env, versions.load("0.32.0"), here=True).findings
    assert found.errors == ()
    assert f"TOOL_PARSER_PLUGIN=/dev/zero {PIPE}" in [each.message for each in found.warnings]


def test_a_catalogue_that_is_a_device_is_not_read() -> None:
    made = planning.by_engine({**ENV, "ENGINE_CATALOG": "/dev/zero"}, print)
    assert f"/dev/zero is not an option catalogue: it {PIPE}" in made.findings.warnings[0].message


@pytest.mark.parametrize("name", ["BASE_PATH", "BAKED_MODELS"])
@pytest.mark.parametrize("text", ["models", ".", "./models"])
def test_a_relative_folder_is_refused(name: str, text: str) -> None:
    made = planning.by_catalog({**ENV, name: text}, versions.load("0.32.0"), here=True)
    (error,) = made.findings.errors
    assert error.message.startswith(f"{name}={text} is a relative path, and the engine runs in")
    assert made.volume is None


def test_a_start_that_may_take_no_time_is_refused() -> None:
    made = planning.by_catalog({**ENV, "STARTUP_TIMEOUT": "0"}, versions.load("0.32.0"))
    (error,) = made.findings.errors
    assert error.message == "STARTUP_TIMEOUT=0 is not a number of seconds above 0"
