"""Each option that takes JSON has an example, which the rule itself takes."""

from __future__ import annotations

import json

import pytest

from supervisor.catalog import Kind, Option
from supervisor.command import values
from supervisor.command.values import examples
from tests.supervisor.command.test_translate import VERSIONS, catalog

#: Objects with so many meanings, or so few readers, that the name of a field says enough.
WITHOUT = {
    "--ec-manager-config", "--ec-transfer-config", "--engram-config", "--ir-op-priority",
    "--kernel-config", "--quantization-config", "--watchdog-config", "--watermark-config",
    "--weight-transfer-config",
}  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_every_option_has_one_in_every_version(version: str) -> None:
    for option in catalog(version).options:
        if option.kind in {Kind.JSON, Kind.JSON_OR_STR}:
            shown = examples.example(option)
            assert values.written(option, shown) == shown
            assert option.flag in examples.EXAMPLES or option.flag in WITHOUT, option.flag
            assert set(json.loads(shown)) <= set(option.keys) or not option.closed, option.flag


def test_of_an_option_that_is_new() -> None:
    assert examples.example(Option("--new", Kind.JSON, keys=("size",))) == '{"size":"value"}'
    assert examples.example(Option("--new", Kind.JSON)) == '{"key":"value"}'
    assert examples.example(Option("--new", Kind.JSON, default=[])) == '["value"]'
    assert examples.example(Option("--new", Kind.JSON, default=["*"])) == '["*"]'
