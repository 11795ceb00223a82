"""Each kind of argparse's actions as a record of the catalogue."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from supervisor.foreign.introspect import options


class Words(argparse.Action):
    """Reads true and false itself, as an action of vLLM's did."""

    def __call__(self, _parser: Any, namespace: Any, values: Any, _spelling: Any = None) -> None:
        setattr(namespace, self.dest, values == "true")


class Parts(argparse.Action):
    """Parts each item at its `=`, as an action of vLLM's did."""

    def __call__(self, _parser: Any, namespace: Any, values: Any, _spelling: Any = None) -> None:
        setattr(namespace, self.dest, [item.split("=") for item in values])


def none_or_text(text: str) -> str | None:
    return None if text == "None" else text


def record(*names: str, **how: Any) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    parser.add_argument_group("Group").add_argument(*names, **how)
    (found,) = options.options(parser)
    assert found["group"] == "Group"
    return found


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ({}, "value"),
        ({"type": int}, "value"),
        ({"action": "store_true"}, "store_true"),
        ({"action": "store_false"}, "store_false"),
        ({"action": argparse.BooleanOptionalAction}, "bool_pair"),
        ({"action": "count"}, "count"),
        ({"action": "store_const", "const": 3}, "store_const"),
        ({"action": "append"}, "append"),
        ({"nargs": "+"}, "list"),
        ({"nargs": 2}, "list"),
        ({"nargs": "?", "const": "x"}, "optional_value"),
        ({"nargs": "?", "const": True, "action": Words}, "bool_value"),
        ({"type": json.loads}, "json"),
        ({"type": lambda text: text.split(",")}, "value"),
    ],
)
def test_kinds(how: dict[str, Any], kind: str) -> None:
    assert record("--x", **how)["kind"] == kind


def test_what_switches_off_is_asked_of_the_action_and_is_no_alias() -> None:
    found = record("--x", "-x", action=argparse.BooleanOptionalAction)
    assert (found["on"], found["off"], found["aliases"]) == (["--x"], ["--no-x"], ["-x"])


def test_choices_are_those_that_arrive() -> None:
    assert record("--x", type=str, choices=["a", None, 3])["choices"] == ["a"]
    assert record("--x", type=int, choices=[1, 2])["choices"] == [1, 2]


def test_defaults_and_deprecation() -> None:
    found = record("--x", default=argparse.SUPPRESS, help="Deprecated: 100%% gone\nmore")
    assert found["default"] is None
    assert found["default_suppressed"] is True
    assert found["deprecated"] is True
    assert found["help"] == "Deprecated: 100% gone"
    hint = record("--x", help="It will be removed.")
    assert (hint["deprecated"], hint["deprecated_hint"]) == (False, True)
    assert record("--x", help=argparse.SUPPRESS)["hidden"] is True


def test_help_and_version_are_no_options_and_positionals_are_apart() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", action="version", version="1")
    parser.add_argument("model", nargs="?")
    assert options.options(parser) == []
    assert options.positionals(parser) == [{"dest": "model", "nargs": "?", "required": False}]


def test_a_list_whose_action_cannot_do_with_none() -> None:
    assert record("--x", nargs="+", type=none_or_text)["none_ok"] is True
    assert "none_ok" not in record("--x", nargs="+", type=none_or_text, action=Parts)
