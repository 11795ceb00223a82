"""What configuration classes refuse, read from classes like vLLM's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from supervisor.foreign.introspect import limits

SOURCE = """
def add_cli_args(parser):
    cache_kwargs = get_kwargs(CacheConfig)
    group = parser.add_argument_group(title="CacheConfig")
    group.add_argument("--size", "-s", "--length", **cache_kwargs["size"])
    group.add_argument("--wide", **{**cache_kwargs["width"], "default": None})
    group.add_argument("--other", **other_kwargs["x"])
    group.add_argument("--plain", type=int)
"""


@dataclass(config=ConfigDict(extra="forbid"))
class Inner:
    backend: Literal["a", "b"] | None = None
    open_to_all: Literal["a"] | str = "a"
    rate: float = Field(default=0.5, gt=0, le=1)
    late: str = "x"


@dataclass
class Loose:
    mode: Literal["a"] = "a"

    @model_validator(mode="before")
    @classmethod
    def _any(cls, value: Any) -> Any:
        return value


@dataclass
class CacheConfig:
    size: int = Field(default=1, ge=1)
    width: int = Field(default=1, gt=0, lt=9)
    changed: int = Field(default=1, ge=1)
    skipped: int = Field(default=1, ge=1)
    free: int = 3
    inner: Inner | None = None
    loose: Loose | None = None

    @field_validator("changed", mode="before")
    @classmethod
    def _change(cls, value: int) -> int:
        return value + 1

    @field_validator("skipped", mode="wrap")
    @classmethod
    def _skip_none_validation(cls, value: Any, handler: Callable[[Any], Any]) -> Any:
        return None if value is None else handler(value)


def test_which_class_stands_behind_an_option() -> None:
    assert sorted(limits.sources(SOURCE)) == [
        ("--length", "CacheConfig", "size"),
        ("--size", "CacheConfig", "size"),
        ("--wide", "CacheConfig", "width"),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("size", {"ge": 1}),
        ("width", {"gt": 0, "lt": 9}),
        ("skipped", {"ge": 1}),
    ],
)
def test_bounds(name: str, expected: dict[str, int]) -> None:
    found = limits.of_field(CacheConfig, name)
    assert found == {"bounds": expected, "owner": "CacheConfig"}


def test_what_is_not_certain_is_left_out() -> None:
    for name in ("changed", "free", "nothing"):
        assert limits.of_field(CacheConfig, name) == {}
    assert limits.of_field(None, "size") == {}
    assert limits.of_field(CacheConfig, "loose") == {"keys": ["mode"]}


def test_the_fields_of_an_object() -> None:
    assert limits.of_field(CacheConfig, "inner") == {
        "keys": ["backend", "open_to_all", "rate", "late"],
        "closed": True,
        "fields": {
            "backend": {"choices": ["a", "b"]},
            "rate": {"bounds": {"gt": 0, "le": 1}},
        },
    }


def test_without_vllm_there_are_none() -> None:
    assert limits.limits() == {}
