"""The items of LORA_MODULES, as vLLM's own parser reads them."""

from __future__ import annotations

import pytest

from supervisor.command.checks import adapters
from tests.supervisor.command.checks.refusals import errors, remedies
from tests.supervisor.command.test_translate import VERSIONS

FORM = 'write sql=/adapters/sql, or {"name":"sql","path":"/adapters/sql"}'


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("org/adapter", "LORA_MODULES=org/adapter is neither name=path nor JSON"),
        ("a=/a sql", "LORA_MODULES=a=/a sql: sql is neither name=path nor JSON"),
        ("a=", "LORA_MODULES=a= has no name or no path"),
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
    assert errors(LORA_MODULES=text) == []


def test_prompt_adapters_are_of_one_form() -> None:
    assert errors("0.6.2", PROMPT_ADAPTERS="a=/x b=org/y") == []
    for text in ("/x", '{"name":"a","path":"/x"}', "a=b=c"):
        assert errors("0.6.2", PROMPT_ADAPTERS=text) == [f"PROMPT_ADAPTERS={text} is not name=path"]


def test_where_one_lies() -> None:
    assert adapters.paths("a=/x") == "/x"
    assert adapters.paths('{"name":"a","path":"/x,y"}') == "/x,y"
    assert adapters.paths('{"name":"a","path":3}') == adapters.paths("[") == ""
