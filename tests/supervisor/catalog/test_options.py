"""A catalogue as values: read strictly, and asked by variable and by spelling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.catalog import Catalog, Kind, Option, options
from supervisor.errors import CatalogError

RECORD = {"flag": "--max-len", "kind": "value", "aliases": ["-l", "--length"], "type": "int"}


def catalogue(*records: dict[str, Any], **more: Any) -> Catalog:
    data = {"schema": 1, "vllm_version": "9.9.9", "options": list(records), **more}
    return options.parse(data, "it")


def test_the_variable_of_an_option() -> None:
    assert options.variable("--max-model-len") == "MAX_MODEL_LEN"
    assert options.variable("--compilation-config.level") == "COMPILATION_CONFIG_LEVEL"
    assert Option("--a-b", Kind.VALUE).env == "A_B"


def test_every_long_spelling_has_a_variable_and_a_short_one_has_none() -> None:
    switch = {"flag": "--x", "kind": "bool_pair", "on": ["--x"], "off": ["--no-x", "--disable-x"]}
    found = catalogue(RECORD, switch)
    assert {name: spelling for name, (_, spelling) in found.by_variable.items()} == {
        "MAX_LEN": "--max-len", "LENGTH": "--length",
        "X": "--x", "NO_X": "--no-x", "DISABLE_X": "--disable-x",
    }  # fmt: skip
    assert found.option("-l") is found.option("--length") is found.options[0]
    assert found.option("--nothing") is None


def test_what_is_left_out_has_its_default() -> None:
    found = catalogue(RECORD)
    assert found.options == (
        Option("--max-len", Kind.VALUE, aliases=("-l", "--length"), type="int"),
    )
    assert found.complete
    assert not found.model_required
    assert catalogue(positionals=[{"dest": "model", "required": True}]).model_required
    assert not catalogue(complete=False).complete
    assert catalogue(vllm_version=None).version == "of unknown version"


@pytest.mark.parametrize(
    ("metavar", "names"),
    [
        ("{hermes,mistral} or name registered in --tool-parser-plugin", ("hermes", "mistral")),
        (["auto", "hf"], ("auto", "hf")),
        ("N", ()),
        (None, ()),
    ],
)
def test_the_names_that_a_help_lists(metavar: Any, names: tuple[str, ...]) -> None:
    (option,) = catalogue({**RECORD, "metavar": metavar}).options
    assert option.names == names


@pytest.mark.parametrize("data", [None, [], {}, {"schema": 2}, {"schema": "1", "options": []}])
def test_another_schema_is_refused(data: Any) -> None:
    with pytest.raises(CatalogError, match="it is not an option catalogue of schema 1"):
        options.parse(data, "it")


@pytest.mark.parametrize("record", [{}, {"flag": "--x"}, {"flag": "--x", "kind": "new"}, 3])
def test_a_damaged_record_is_refused(record: Any) -> None:
    with pytest.raises(CatalogError, match="it is a damaged option catalogue"):
        options.parse({"schema": 1, "vllm_version": "1", "options": [record]}, "it")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.json"
    with pytest.raises(CatalogError, match=r"catalogue\.json cannot be read: No such file"):
        options.load(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogError, match="no text in UTF-8"):
        options.load(path)
    for text in ("{", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(CatalogError, match="is not JSON; make the catalogue again"):
            options.load(path)
    path.write_text(json.dumps({"schema": 1, "vllm_version": "1", "options": [RECORD]}))
    assert options.load(path) == options.loads(path.read_text(), "text")
