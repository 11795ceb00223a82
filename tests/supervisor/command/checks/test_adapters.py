"""The items of LORA_MODULES, as vLLM's own parser reads them."""

from __future__ import annotations

import pytest

from supervisor.command.checks import adapters
from tests.supervisor.command.checks.refusals import errors, remedies, warnings
from tests.supervisor.command.test_translate import VERSIONS

FORM = 'write sql=/adapters/sql, or {"name":"sql","path":"/adapters/sql"}'


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("org/adapter", "LORA_MODULES=org/adapter is neither name=path nor JSON"),
        ("a=/a sql", "LORA_MODULES=a=/a sql: sql is neither name=path nor JSON"),
        ("a=", "LORA_MODULES=a= has no name or no path"),
        ("{}", "LORA_MODULES={} has no name and no path"),
        ('{"path":"/a"}', 'LORA_MODULES={"path":"/a"} has no name'),
        ('[{"a":"b"}]', 'LORA_MODULES=[{"a":"b"}]: {"a":"b"} has no name and no path'),
        ("[[1]]", "LORA_MODULES=[[1]]: [1] is not a JSON object"),
    ],
)  # fmt: skip
def test_what_is_no_adapter(version: str, text: str, said: str) -> None:
    assert errors(version, LORA_MODULES=text) == [said]
    assert remedies(version, LORA_MODULES=text) == [FORM]


@pytest.mark.parametrize(
    "text",
    ["a=org/b", "a=/x, b=/y", '{"name":"a","path":"/x,y"}', '[{"name":"a","path":"b"},"c=/d"]'],
)
def test_what_is_one(text: str) -> None:
    assert errors(LORA_MODULES=text, ENABLE_LORA="true") == []


NEWER = [version for version in VERSIONS if version != "0.6.2"]
NOT_SET = "LORA_MODULES=a=/x needs ENABLE_LORA, which is not set"


@pytest.mark.parametrize("version", NEWER)
def test_adapters_that_are_not_enabled_end_the_engine_behind_its_weights(version: str) -> None:
    assert errors(version, LORA_MODULES="a=/x") == [NOT_SET]
    assert remedies(version, LORA_MODULES="a=/x") == ["set ENABLE_LORA=true"]
    assert errors(version, LORA_MODULES="a=/x", ENABLE_LORA="0") == [
        "LORA_MODULES=a=/x needs ENABLE_LORA, which is off"
    ]
    assert errors(version, VLLM_EXTRA_ARGS="--lora_modules a=/x b=/y") == [
        "--lora_modules in VLLM_EXTRA_ARGS needs ENABLE_LORA, which is not set"
    ]
    for on in ({"ENABLE_LORA": "1"}, {"VLLM_EXTRA_ARGS": "--enable-lora"}):
        assert errors(version, LORA_MODULES="a=/x", **on) == []


def test_a_version_that_starts_all_the_same_gets_a_warning() -> None:
    assert errors("0.6.2", LORA_MODULES="a=/x") == []
    assert NOT_SET in warnings("0.6.2", LORA_MODULES="a=/x")
    assert warnings("0.6.2", LORA_MODULES="a=/x", ENABLE_LORA="true") == []
    assert warnings("0.6.2", PROMPT_ADAPTERS="a=/x") == [
        "PROMPT_ADAPTERS=a=/x needs ENABLE_PROMPT_ADAPTER, which is not set"
    ]


@pytest.mark.parametrize("version", NEWER)
def test_adapters_of_media_have_no_effect_then(version: str) -> None:
    env = {"DEFAULT_MM_LORAS": '{"audio":"org/a"}'}
    assert errors(version, **env) == []
    assert warnings(version, **env) == [
        'DEFAULT_MM_LORAS={"audio":"org/a"} needs ENABLE_LORA, which is not set'
    ]
    assert warnings(version, ENABLE_LORA="true", **env) == []
    assert warnings(version, DEFAULT_MM_LORAS="{}") == []


def test_a_file_may_enable_them() -> None:
    assert errors(LORA_MODULES="a=/x", VLLM_CONFIG_FILE="/c.yaml") == []
    assert len(errors(LORA_MODULES="a=/x", VLLM_CONFIG_FILE="/c.yaml", ENABLE_LORA="0")) == 1


def test_prompt_adapters_are_of_one_form() -> None:
    assert errors("0.6.2", PROMPT_ADAPTERS="a=/x b=org/y") == []
    for text in ("/x", '{"name":"a","path":"/x"}', "a=b=c"):
        assert errors("0.6.2", PROMPT_ADAPTERS=text) == [f"PROMPT_ADAPTERS={text} is not name=path"]


def test_where_one_lies() -> None:
    assert adapters.paths("a=/x") == "/x"
    assert adapters.paths('{"name":"a","path":"/x,y"}') == "/x,y"
    assert adapters.paths('{"name":"a","path":3}') == adapters.paths("[") == ""
