"""A chat template as text reaches every version whole."""

from __future__ import annotations

import json
import shlex
from pathlib import PurePath

import pytest

from supervisor.catalog import store
from supervisor.command import arguments, chat_template, plan
from supervisor.models.placement import OnDisk
from tests.supervisor.command.test_translate import VERSIONS, catalog

ONE_LINE = r"{% for m in messages %}{{ m.content }}\n{% endfor %}"
#: Their parsers say that a line of text will do; the others may take a path only.
TAKE_TEXT = {"0.6.2", "0.10.2", "0.14.1", "0.32.0", "0.33.0"}


def template(found: plan.Plan) -> str:
    (value,) = [t.partition("=")[2] for t in found.command if t.startswith("--chat-template=")]
    return value


@pytest.mark.parametrize("name", ["CUSTOM_CHAT_TEMPLATE", "CHAT_TEMPLATE"])
@pytest.mark.parametrize("version", VERSIONS)
def test_one_line(version: str, name: str) -> None:
    found = plan.make({"MODEL_NAME": "m", name: ONE_LINE}, catalog(version))
    if version in TAKE_TEXT:
        assert template(found) == ONE_LINE
        assert not found.files
    else:
        assert found.files == {template(found): ONE_LINE.replace("\\n", "\n")}
    assert {s.env: s.flag for s in found.findings.applied}[name] == "--chat-template"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_path_stays_a_path(version: str) -> None:
    found = plan.make({"MODEL_NAME": "m", "CUSTOM_CHAT_TEMPLATE": "/t/a.jinja"}, catalog(version))
    assert template(found) == "/t/a.jinja"
    assert not found.files


def test_letters_that_the_engine_would_spoil_go_into_a_file() -> None:
    env = {"MODEL_NAME": "m", "CUSTOM_CHAT_TEMPLATE": "Grüße: {{ messages }}"}
    found = plan.make(env, catalog("0.32.0"), OnDisk(temporary="/scratch"))
    path = template(found)
    assert PurePath(path).parent == PurePath("/scratch/vllm-supervisor")
    assert found.files == {path: "Grüße: {{ messages }}"}
    (row,) = [row for row in found.findings.applied if row.env == "CUSTOM_CHAT_TEMPLATE"]
    assert row.note is not None
    assert "file" in row.note


def test_an_engine_that_could_not_be_asked_gets_a_file() -> None:
    found = plan.make({"MODEL_NAME": "m", "CUSTOM_CHAT_TEMPLATE": ONE_LINE}, store.common())
    assert template(found) in found.files


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", {}),
        ("""--default-chat-template-kwargs='{"a": false}'""", {"a": False}),
        ("""--default_chat_template_kwargs '{"a": 1}'""", {"a": 1}),
        ("--default-chat-template-kwargs.a true --default-chat-template-kwargs.b.c x", None),
        (
            "--default-chat-template-kwargs.a 1 --default-chat-template-kwargs.a.b 2",
            {"a": {"b": 2}},
        ),
        ("""--default-chat-template-kwargs='{"a": ' --port 1""", {}),
    ],
)
def test_what_every_template_is_given(said: str, told: dict[str, object] | None) -> None:
    options = arguments.parse(shlex.split(said), catalog("0.33.0"))
    expected = {"a": True, "b": {"c": "x"}} if told is None else told
    assert json.loads(chat_template.defaults(options)) == expected
