"""What a type makes of a token is found out by trying it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from supervisor.foreign.introspect import conversion


def action(convert: Any) -> argparse.Action:
    return argparse.ArgumentParser().add_argument("--x", type=convert)


def _optional_type(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """As vLLM wraps its types, under the name that it gives to the wrapper."""

    def _optional_type(text: str) -> Any:
        return None if text == "None" else convert(text)

    return _optional_type


def human(text: str) -> int:
    if text == "auto":
        return -1
    return int(text[:-1]) * 1000 if text.endswith("k") else int(text)


@dataclass
class Config:
    model: str
    hidden: int = field(default=0, init=False)

    @classmethod
    def parse(cls, text: str) -> Config:
        return cls(**json.loads(text))


@pytest.mark.parametrize(
    ("convert", "token", "more"),
    [
        (None, "scalar", {}),
        (str, "scalar", {}),
        (int, "scalar", {}),
        (human, "scalar", {"human_int": True, "auto_ok": True}),
        (_optional_type(int), "scalar", {"none_ok": True}),
        (json.loads, "json", {}),
        (lambda text: json.loads(text) if text[0] == "{" else text, "json_or_str", {}),
        (lambda text: text.split(","), "csv", {}),
    ],
)
def test_tokens(convert: Any, token: str, more: dict[str, Any]) -> None:
    assert conversion.of_a_token(action(convert)) == (token, more)


def test_names_look_through_wrappers() -> None:
    assert conversion.type_name(None) == "str"
    assert conversion.type_name(int) == "int"
    assert conversion.type_name(_optional_type(int)) == "optional[int]"
    assert conversion.type_name(json.loads) == "json.loads"


def test_the_fields_behind_a_json_option() -> None:
    wanted = {"json_class": "Config", "json_keys": ["model"]}
    assert conversion.fields(action(Config.parse)) == wanted
    assert conversion.fields(action(_optional_type(Config.parse))) == wanted
    assert conversion.fields(action(json.loads)) == {}


def test_a_choice_that_no_text_becomes_does_not_arrive() -> None:
    assert conversion.arrives(action(int), "1", [1, 2])
    assert not conversion.arrives(action(str), "1", [1, 2])
    assert not conversion.arrives(action(int), "x", [1, 2])
    assert conversion.arrives(action(None), "x", [])
