"""The generated files: not stale, in the form that RunPod reads, and without dead settings."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from supervisor.command import legacy, plan
from supervisor.models.placement import OnDisk
from supervisor.settings import table
from tests.supervisor.command.legacy.old_names import CONFIG, OLD_NAMES
from tests.supervisor.command.test_translate import catalog
from tools.docs import __main__ as docs
from tools.docs import common, known, page, settings
from tools.worker import CHECKOUT

#: What makes the variables of speculative decoding take effect.
_SPECULATIVE = {
    name: OLD_NAMES[name]
    for name in ("SPECULATIVE_MODEL", "NUM_SPECULATIVE_TOKENS", "NGRAM_PROMPT_LOOKUP_MAX")
}
#: Where the value in OLD_NAMES asks for what vLLM does anyway.
_NOT_IDLE = {"MAX_CONTEXT_LEN_TO_CAPTURE": "4096"}

SCHEMAS = Path(__file__).parent / "schemas"
CONSOLE = json.loads((CHECKOUT / "worker-config.json").read_text())
HUB = json.loads((CHECKOUT / ".runpod" / "hub.json").read_text())
TESTS = json.loads((CHECKOUT / ".runpod" / "tests.json").read_text())

#: What a part of speculative decoding and tools need to take effect.
_BESIDE = {"SPECULATIVE_MODEL": "draft", "TOOL_CALL_PARSER": "hermes"}
#: Not on the command line: one stays in the environment, one depends on this machine's disk.
_ELSEWHERE = {"HF_TOKEN", "BASE_PATH"}
_TEXT = {
    "MAX_MODEL_LEN": "4096", "MAX_NUM_BATCHED_TOKENS": "2048", "KV_CACHE_MEMORY_BYTES": "1G",
    "BATCH_MAX_LATENCY_MS": "50", "VLLM_EXTRA_ARGS": "--seed 1", "LORA_MODULES": "a=/b",
    "ROPE_SCALING": '{"rope_type": "dynamic", "factor": 2.0}', "MODEL_NAME": "org/model",
    "CUSTOM_CHAT_TEMPLATE": "{{ messages }}", "LIMIT_MM_PER_PROMPT": '{"image": 2}',
    "TOKENIZER_MODE": "mistral", "QUANTIZATION": "awq", "LOAD_FORMAT": "dummy",
    "DISTRIBUTED_EXECUTOR_BACKEND": "mp", "TOOL_CALL_PARSER": "hermes",
    "REASONING_PARSER": "mistral", "GUIDED_DECODING_BACKEND": "xgrammar",
    "ALLOWED_ROUTES": "/sleep",
}  # fmt: skip


def test_nothing_generated_is_stale() -> None:
    assert list(docs.stale()) == [], "run `make docs`"


def test_a_changed_file_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "CHECKOUT", tmp_path)
    (tmp_path / "worker-config.json").write_text("{}\n")
    assert set(docs.stale()) == set(docs.rendered())


@pytest.mark.parametrize(
    ("name", "data"), [("worker-config", CONSOLE), ("hub", HUB), ("hub-tests", TESTS)]
)
def test_the_forms_are_as_the_platform_reads_them(name: str, data: Any) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    errors = [error.message for error in Draft202012Validator(schema).iter_errors(data)]
    assert errors == []


@pytest.mark.parametrize("name", ["worker-config", "hub", "hub-tests"])
def test_the_schemas_refuse_what_is_not_a_form(name: str) -> None:
    schema = Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text()))
    broken = json.loads(json.dumps({"worker-config": CONSOLE, "hub": HUB}.get(name, TESTS)))
    part = broken.get("schema", {}).get("DTYPE") or broken.get("config")
    part["unheard-of"] = 1
    assert not schema.is_valid(broken)
    assert not schema.is_valid({})


def test_every_key_of_the_console_is_used_and_defined() -> None:
    used = [
        key
        for version in CONSOLE["versions"].values()
        for category in version["categories"]
        for key in category["settings"]
    ]
    assert set(used) == set(CONSOLE["schema"])
    for version in CONSOLE["versions"].values():
        keys = [key for category in version["categories"] for key in category["settings"]]
        names = [CONSOLE["schema"][key]["env_var_name"] for key in keys]
        assert len(names) == len(set(names))


AT_HAND = OnDisk(config=CONFIG)


def _offered() -> list[tuple[str, dict[str, Any]]]:
    return [
        (version, CONSOLE["schema"][key])
        for version, shown in CONSOLE["versions"].items()
        for category in shown["categories"]
        for key in category["settings"]
    ]


def _other(entry: dict[str, Any]) -> str:
    """A value that differs from the one that the form has at first."""
    if entry["type"] == "toggle":
        return str(not entry["value"]).lower()
    if entry["type"] == "select":
        options = [option["value"] for option in entry["options"] if option["value"]]
        told = entry["description"]
        return str(next(each for each in options if f"Default: {each}." not in told))
    if entry["type"] == "number":
        return (
            str(int(entry["value"] or 1) + 1) if "GPU_MEM" not in entry["env_var_name"] else "0.5"
        )
    return _TEXT.get(entry["env_var_name"], "{}" if "JSON" in entry["description"] else "word")


def _sent(version: str) -> dict[str, str]:
    """What a form sends if the user leaves it alone."""
    return {
        entry["env_var_name"]: str(entry["value"]).lower()
        if isinstance(entry["value"], bool)
        else str(entry["value"])
        for of, entry in _offered()
        if of == version
    }


def test_no_setting_of_a_form_is_dead() -> None:
    """Changed by the user in a form that is otherwise left alone, each one takes effect.

    That somebody looks up a setting of the worker's own is tested with the table.
    """
    dead = []
    for version, entry in _offered():
        name = entry["env_var_name"]
        if name in _ELSEWHERE:
            continue
        env = {**_sent(version), "MODEL_NAME": "org/m", **_BESIDE}
        if name == "SPECULATIVE_CONFIG":
            del env["SPECULATIVE_MODEL"]
        if name == "LORA_MODULES":
            env["ENABLE_LORA"] = "true"
        before = plan.make(env, catalog(version), AT_HAND)
        after = plan.make({**env, name: _other(entry)}, catalog(version), AT_HAND)
        took = {setting.env for setting in after.findings.applied}
        same = after.command == before.command and after.settings == before.settings
        said = [one for one in after.findings.warnings if one.env != "TRUST_REMOTE_CODE"]
        wrong = [*after.findings.errors, *said]
        if wrong or name not in took or same:
            dead.append((version, name, _other(entry), wrong))
    assert dead == []


@pytest.mark.parametrize("version", CONSOLE["versions"])
def test_a_form_left_alone_says_nothing_to_the_engine(version: str) -> None:
    """So that the engine's own defaults count, and what a configuration file says."""
    made = plan.make({**_sent(version), "MODEL_NAME": "m"}, catalog(version))
    bare = plan.make({"MODEL_NAME": "m"}, catalog(version))
    assert not made.findings.errors
    assert not made.findings.warnings
    assert made.command == bare.command
    assert made.settings == bare.settings


def test_what_the_hub_requires_beside_its_files_is_there() -> None:
    """Each in .runpod or in the root, as its publishing guide says."""
    for name in ("handler.py", "Dockerfile", "README.md"):
        assert any((folder / name).is_file() for folder in (CHECKOUT / ".runpod", CHECKOUT)), name


def test_a_preset_has_its_values_as_the_fields_have_them() -> None:
    kinds = {entry["key"]: entry["input"] for entry in HUB["config"]["env"]}
    assert len(HUB["config"]["presets"]) >= 5
    for preset in HUB["config"]["presets"]:
        for name, value in preset["defaults"].items():
            wanted = {"number": int | float, "boolean": bool}.get(kinds[name]["type"], str)
            assert isinstance(value, wanted), (preset["name"], name)
            if "options" in kinds[name]:
                assert value in [option["value"] for option in kinds[name]["options"]]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("gpuIds",), "ADA_80"),
        (("gpuIds",), "ADA_24, AMPERE_24"),
        (("gpuIds",), "-NVIDIA GeForce RTX 4090"),
        (("gpuIds",), None),
        (("gpuCount",), None),
        (("runsOn",), "CPU"),
        (("endpointType",), "QUEUE"),
        (("env", 0, "input", "type"), "select"),
        (("env", 0, "value"), "both"),
        (("env", 0, "input", "options"), [{"label": "a", "value": "a"}]),
    ],
)
def test_the_hubs_rules_refuse_what_breaks_them(path: tuple[str | int, ...], value: Any) -> None:
    broken = json.loads(json.dumps(HUB))
    part = broken["config"]
    for step in path[:-1]:
        part = part[step]
    if value is None:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    schema = Draft202012Validator(json.loads((SCHEMAS / "hub.json").read_text()))
    assert schema.is_valid(HUB)
    assert not schema.is_valid(broken)


@pytest.mark.parametrize("version", CONSOLE["versions"])
def test_parsers_and_methods_are_chosen_from_what_the_version_has(version: str) -> None:
    fields = {entry["env_var_name"]: entry for of, entry in _offered() if of == version}
    wanted = {"TOOL_CALL_PARSER", "REASONING_PARSER", "QUANTIZATION", "KV_CACHE_DTYPE"}
    for name in wanted & fields.keys():
        assert fields[name]["type"] == "select", name


def test_the_hub_asks_for_what_this_version_has() -> None:
    entries = HUB["config"]["env"]
    assert [entry["key"] for entry in entries][:2] == ["MODEL_NAME", "HF_TOKEN"]
    sent = {
        entry["key"]: str(entry["input"]["default"]).lower()
        for entry in entries
        if "default" in entry["input"]
    }
    made = plan.make({**sent, "MODEL_NAME": "m"}, catalog(known.DEFAULT))
    assert not made.findings.errors
    assert not made.findings.warnings


def test_what_the_hub_tries_is_a_sound_environment() -> None:
    env = {entry["key"]: entry["value"] for entry in TESTS["config"]["env"]}
    made = plan.make({"RUNPOD_WEBHOOK_GET_JOB": "http://x/$ID?", **env}, catalog(known.DEFAULT))
    assert not made.findings.errors
    assert not made.findings.warnings


def test_the_forms_offer_every_setting_that_has_a_field() -> None:
    """Each version's form, and no other setting of the worker's."""
    wanted = {row.name for row in table.TABLE if row.form}
    for version in CONSOLE["versions"]:
        offered = {entry["env_var_name"] for of, entry in _offered() if of == version}
        assert offered & table.WORKER_VARIABLES == wanted


def test_a_setting_without_a_place_stands_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one row in the table is all that a new setting needs."""
    new = replace(table.MAX_RESTARTS, name="NEW_LIMIT")
    monkeypatch.setattr(settings, "TABLE", (*table.TABLE, new))
    last = list(settings.form().values())[-1]
    assert list(last.items())[-1] == ("NEW_LIMIT", "")


def test_common_options_are_said_in_a_way_that_every_version_takes() -> None:
    shared = json.loads(common.text())["options"]
    assert len(shared) > 50
    for record in shared:
        for version in known.catalogs():
            option = catalog(version).option(record["flag"])
            assert option is not None
            for spelling in (*record.get("on", ()), *record.get("off", ())):
                known_spellings = {option.flag, *option.aliases, *option.on, *option.off}
                assert spelling in known_spellings, (version, spelling)


@pytest.mark.parametrize("version", known.CUDA)
def test_an_old_name_becomes_the_option_that_explain_names(version: str) -> None:
    """In every version that the page has."""
    wrong = {}
    for name in legacy.names():
        told = set(re.findall(r"`(--[a-z0-9-]+)", page.becomes(name, catalog(version))))
        env = _SPECULATIVE | {name: _NOT_IDLE.get(name, OLD_NAMES[name])}
        shown = plan.make({"MODEL_NAME": "m", **env}, catalog(version), AT_HAND).findings.applied
        flags = {each.flag for each in shown if each.env == name and each.flag}
        if not told <= flags or bool(told) is not bool(flags):
            wrong[name] = told, flags
    assert wrong == {}


def test_the_page_names_every_option() -> None:
    shown = (CHECKOUT / "docs" / "configuration.md").read_text()
    named = set(re.findall(r"`([A-Z0-9_]+)`", shown))
    assert {option.env for option in catalog(known.DEFAULT).options} <= named
