"""Each row of the table is whole, and agrees with what stands elsewhere."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Any

import pytest

from supervisor.settings import parsers, table
from supervisor.settings.table import Reader, Setting
from tests.processes import ROOT
from tests.tree import modules, parsed

_NUMBERS = {
    parsers.port,
    parsers.count,
    parsers.positive,
    parsers.seconds,
    parsers.some_seconds,
    parsers.amount,
    parsers.latency,
    parsers.growth,
}


def _name(row: Setting[Any]) -> str:
    return row.name


def test_every_constant_is_a_row_under_its_own_name() -> None:
    constants = {
        name: value for name, value in vars(table).items() if isinstance(value, table.Setting)
    }
    assert list(constants) == [row.name for row in table.TABLE]
    former = [row.former for row in table.TABLE if row.former]
    assert len(table.WORKER_VARIABLES) == len(table.TABLE) + len(former)
    assert len(table.TABLE) >= 30


@pytest.mark.parametrize("row", table.TABLE, ids=_name)
def test_a_row_is_whole(row: Setting[Any]) -> None:
    """A sentence, a unit where it is a number, and a default that its own parser accepts."""
    assert re.fullmatch(r"[A-Z].+\.", row.sentence)
    assert "  " not in row.sentence
    assert not re.search(r"(above|below|of (that|this))\b", row.sentence), "depends on its place"
    assert bool(row.unit) == (row.parse in _NUMBERS)
    if row.default_text:
        assert row.of({row.name: row.default_text}) == row.default
    assert row.of({}) == row.of({row.name: " "}) == row.default
    if row.form:
        assert (row.form == "toggle") == (row.parse is parsers.boolean)


@pytest.mark.parametrize(
    ("row", "written"),
    [
        (table.WORKER_MODE, ""),
        (table.STRICT_ENV, "false"),
        (table.STARTUP_TIMEOUT, "1200"),
        (table.MAX_RESTARTS, "5"),
        (table.BATCH_MAX_LATENCY_MS, "auto"),
        (Setting("X", parsers.growth, 1.5, "A factor.", Reader.PROXY), "1.5"),
        (Setting("X", parsers.seconds, 1e16, "A time.", Reader.PROXY), "10000000000000000"),
    ],
)
def test_a_default_is_written_as_a_user_would(row: Setting[Any], written: str) -> None:
    assert row.default_text == written


def test_a_variable_of_somebody_elses_is_not_set() -> None:
    """Kubernetes sets VLLM_PORT=tcp://ADDRESS:PORT for a Service named vllm."""
    env = {"VLLM_PORT": "tcp://10.96.0.7:80", "CONTROL_HOST": "tcp://x"}
    assert table.VLLM_PORT.is_foreign(env)
    assert table.VLLM_PORT.of(env) == table.VLLM_PORT.default
    assert not table.CONTROL_HOST.is_foreign(env)
    assert table.CONTROL_HOST.of(env) == "tcp://x"


def test_the_readme_names_the_defaults() -> None:
    """Of each setting of the worker in its table, in the order of the names."""
    rows = {row.name: row for row in table.TABLE}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, after = readme.split("| setting | default | |\n|---|---|---|\n")
    named = set()
    for line in after.partition("\n\n")[0].splitlines():
        _, names, defaults, _ = re.split(r"(?<!\\)\|", line, maxsplit=3)
        ours = [rows[name] for name in re.findall(r"`(\w+)`", names) if name in rows]
        expected = [row.default_text for row in ours if row.default_text]
        assert re.findall(r"`([^`]+)`", defaults) == expected, line
        named |= {row.name for row in ours}
    assert len(named) >= 20


#: Names that are ours elsewhere by accident: the engine has an option of the same name.
NOT_OURS = {("supervisor.command.translate", "PORT")}  # --port, whose variable does not set it


def test_no_name_stands_anywhere_else() -> None:
    """A name in the code is `table.NAME.name`, so that a row can be renamed in one place."""
    names = {row.name for row in table.TABLE}
    alone = {
        (module, node.value)
        for module in modules()
        if module != table.__name__ and not module.startswith("supervisor.foreign")
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert alone == NOT_OURS


@pytest.mark.parametrize("row", table.TABLE, ids=_name)
def test_a_row_is_looked_up_by_its_reader(row: Setting[Any]) -> None:
    """Not its name or its default alone: its value."""
    for package in _PACKAGES[row.reader]:
        assert row.name in _looked_up(package), package


_PACKAGES = {
    Reader.SUPERVISOR: ["supervisor"],
    Reader.BAKE: ["supervisor"],
    Reader.PROXY: ["proxy"],
    Reader.LONE_PROXY: ["proxy"],
    Reader.BOTH: ["supervisor", "proxy"],
}


@cache
def _looked_up(package: str) -> frozenset[str]:
    """The rows that a package takes values by: `table.NAME`, but for its name and its default."""
    every = [
        node
        for module in modules()
        if module.partition(".")[0] == package
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Attribute)
    ]
    beside = {id(node.value) for node in every if node.attr in {"name", "default"}}
    return frozenset(
        node.attr for node in every if ast.unparse(node.value) == "table" and id(node) not in beside
    )


def test_what_cannot_import_the_table_agrees_with_it() -> None:
    """The image's parts, which run before a Python of ours or have to start at once."""
    check = (ROOT / "image" / "healthcheck.py").read_text(encoding="utf-8")
    assert f"\nPORT = {table.PORT_HEALTH.default}\n" in check
    bake = (ROOT / "image" / "bake.sh").read_text(encoding="utf-8")
    assert f"${{BAKED_MODELS:-{table.BAKED_MODELS.default}}}" in bake
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"ARG BASE_PATH={table.BASE_PATH.default}\n" in dockerfile
