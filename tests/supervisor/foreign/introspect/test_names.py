"""Names out of vLLM's registries, wherever a version has them."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from supervisor.foreign.introspect import names


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("registry_of_vllm")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    places = (("nowhere_at_all", "NAMES"), (module.__name__, "Manager.listed"))
    monkeypatch.setitem(names.REGISTRIES, "--parser", places)
    return module


def test_what_is_registered_and_what_the_parser_shows(registry: ModuleType) -> None:
    registry.Manager = type("Manager", (), {"listed": {"hf": 1, "awq": 2}})  # type: ignore[attr-defined]
    assert names.names("--parser", None, ["auto", "hf"]) == ["auto", "awq", "hf"]
    assert names.names("--parser", None, "{x} or another") == ["awq", "hf"]


def test_a_registry_that_is_asked(registry: ModuleType) -> None:
    registry.Manager = type("Manager", (), {"listed": staticmethod(lambda: ["b", "a"])})  # type: ignore[attr-defined]
    assert names.names("--parser", None, None) == ["a", "b"]


def test_nothing_where_there_is_no_registry_or_the_parser_has_choices(registry: ModuleType) -> None:
    assert names.names("--parser", None, None) == []
    assert names.names("--other", None, None) == []
    registry.Manager = type("Manager", (), {"listed": ["a"]})  # type: ignore[attr-defined]
    assert names.names("--parser", ["a", "b"], None) == []
