"""The house: rooms that can be looked over, imports that run one way, tests that mirror."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests import tree
from tests.processes import ROOT
from tests.tree import circle, modules, neighbours, ours, packages, parsed, reached

MODULES = sorted(modules())
#: Tables: one row after the other, as long as there are rows.
TABLES = {
    "supervisor.diagnosis.rules",
    "supervisor.settings.table",
    "supervisor.command.legacy.table",
}
MOST_LINES = 250
MOST_MODULES = 11
#: Run by another interpreter: they import nothing of ours.
FOREIGN = "supervisor.foreign"
#: Beside what is in their own folder, for which files a model has is decided in one place.
BORROWED = {"supervisor.foreign.reading.pieces": {"supervisor.foreign.download.choice"}}
#: What data passes through on its way from the environment to a command line. The rest does I/O.
PURE = (
    "supervisor.command",
    "supervisor.settings",
    "supervisor.diagnosis",
    "supervisor.status.parts",
    "supervisor.worker.lifecycle",
    "supervisor.worker.announce",
    "supervisor.worker.metrics.names",
    "supervisor.worker.metrics.vllm",
    "supervisor.worker.metrics.summary",
    "supervisor.link.histogram",
    "supervisor.models.placement",
    "supervisor.models.shape",
    "supervisor.models.fit",
    "proxy.detour",
    "proxy.excerpt",
    "proxy.media.places",
    "proxy.media.address",
    "proxy.media.networks",
    "proxy.request",
    "proxy.resume.safe",
    "proxy.resume.told",
    "proxy.resume.end",
    "proxy.resume.question",
    "proxy.resume.prompt",
    "proxy.resume.seam",
    "proxy.stream.sse",
    "proxy.stream.ramp",
    "proxy.stream.native",
    "proxy.stream.finite",
    "proxy.stream.outputs",
    "proxy.errors",
)
IMPURE = {"os", "subprocess", "socket", "asyncio", "time", "tempfile", "shutil", "threading"}


def test_imports_never_run_in_a_circle() -> None:
    assert circle({name: set(ours(name)) for name in MODULES}) == []


@pytest.mark.parametrize("package", packages())
def test_rooms_are_entered_one_way(package: str) -> None:
    """Also where no single module closes the circle.

    What stands side by side in a package, each of its modules and each of its sub-packages as a
    whole, is in an order: what comes later may import what came before. So the modules of
    `supervisor.worker` and the rooms in it may import each other, a room only what comes before it.
    """
    assert circle(neighbours(package, {name: ours(name) for name in MODULES})) == []


def test_a_circle_is_seen() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}}) == []


@pytest.mark.parametrize(
    ("imports", "found"),
    [
        ({"p.a.x": ["p.b.y"], "p.b.z": ["p.a.w"]}, ["p.a", "p.b", "p.a"]),
        ({"p.a.x": ["p.m"], "p.m": ["p.a.y"]}, ["p.a", "p.m", "p.a"]),
        ({"p.a": ["p.m"], "p.m": ["p.a.y"]}, ["p.a", "p.m", "p.a"]),
        ({"p": ["p.m"], "p.m": ["p"]}, ["p", "p.m", "p"]),
        ({"p.a.x": ["p.m", "q.z"], "p.n": ["p.a.x", "p.m"], "q.z": ["p.a.x"]}, []),
    ],
)
def test_a_circle_of_rooms_is_seen(imports: dict[str, list[str]], found: list[str]) -> None:
    graph = {each: imports.get(each, []) for each in {*imports, *chain(*imports.values())}}
    assert circle(neighbours("p", graph)) == found


def test_the_supervisor_knows_nothing_of_the_proxys_inside() -> None:
    both = [name for name in MODULES if name.startswith("supervisor")]
    assert {name: each for name in both for each in ours(name) if each.startswith("proxy")} == {}


def test_what_another_interpreter_runs_imports_nothing_of_ours() -> None:
    for name in MODULES:
        if name.startswith(FOREIGN):
            own = ".".join(name.split(".")[:3])
            borrowed = BORROWED.get(name, set())
            assert all(each.startswith(own) for each in set(ours(name)) - borrowed), name


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith(PURE)])
def test_the_middle_is_pure(name: str) -> None:
    """No process, no socket, no clock, no environment, not even in what it imports of ours."""
    found = {each: _packages_of(each) & IMPURE for each in reached(name)}
    assert {each: impure for each, impure in found.items() if impure} == {}


def _packages_of(name: str) -> set[str]:
    return {each.partition(".")[0] for each in tree.imports(name)}


def test_what_is_imported_before_the_spawn_has_its_dataclasses_from_records() -> None:
    """The library's take five times as long to make, and every start would wait for them."""
    first = ("supervisor.__main__", "supervisor.link.hidden", "supervisor.worker.start")
    code = f"import sys, {', '.join(first)}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert loaded.issuperset(first), done.stderr
    users = [name for name in MODULES if name in loaded and "dataclasses" in tree.imports(name)]
    assert "dataclasses" not in loaded, f"from `dataclasses` import at the top: some of {users}"


def test_what_a_module_reaches() -> None:
    """Through others, and through the packages that it is in."""
    assert "supervisor.worker.process.guardian" in reached("supervisor.worker.start")
    assert "supervisor.worker.lifecycle.step" in reached("supervisor.worker.lifecycle.policy")
    assert "supervisor.worker.start" not in reached("supervisor.worker.loop")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_about_one_thing(name: str) -> None:
    lines = len(modules()[name].read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES or name in TABLES


def test_a_room_can_be_looked_over() -> None:
    count: dict[Path, int] = {}
    for path in modules().values():
        if path.name != "__init__.py":
            count[path.parent] = count.get(path.parent, 0) + 1
    assert {str(room): number for room, number in count.items() if number > MOST_MODULES} == {}


def test_the_supervisor_can_be_installed_under_another_name() -> None:
    for name in MODULES:
        if name.startswith("supervisor"):
            absolute = [
                node.module
                for node in ast.walk(parsed(name))
                if isinstance(node, ast.ImportFrom) and not node.level
            ]
            assert not [each for each in absolute if (each or "").startswith("supervisor")], name


def test_the_environment_is_read_at_the_border_alone() -> None:
    readers = {
        name
        for name in MODULES
        for node in ast.walk(parsed(name))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    border = {"supervisor.__main__", "proxy.__main__"}
    assert {name for name in readers - border if not name.startswith(FOREIGN)} == set()


# --- names ---


@pytest.mark.parametrize("name", MODULES)
def test_no_local_variable_shadows_a_module(name: str) -> None:
    """Of those that the file imports."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(parsed(name))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if _is_module(node, alias, name)
    }
    assert imported & set(_locals(parsed(name))) == set()


def _is_module(node: ast.ImportFrom, alias: ast.alias, name: str) -> bool:
    one = ast.ImportFrom(node.module, [ast.alias(alias.name)], node.level)
    return any(each.endswith(f".{alias.name}") for each in tree._from(one, name))


def _locals(module: ast.Module) -> Iterator[str]:
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = function.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            yield from (argument.arg for argument in every)
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id


# --- tests and the map ---

#: Tested as what they are run as, in other places than their mirror.
TESTED_ELSEWHERE = {
    "supervisor.foreign.download.__main__": "tests/supervisor/foreign/test_foreign.py",
    "supervisor.foreign.introspect.__main__": "tests/supervisor/foreign/test_foreign.py",
}


@pytest.mark.parametrize("name", MODULES)
def test_each_module_has_tests_where_one_looks_for_them(name: str) -> None:
    path = modules()[name].relative_to(ROOT)
    if not _does_something(name):
        return
    stem = path.parent.name if path.stem == "__init__" else path.stem.strip("_")
    folder = path.parent.parent if path.stem == "__init__" else path.parent
    mirrors = [
        ROOT / "tests" / folder / f"test_{stem}.py",
        ROOT / "tests" / path.parent / f"test_{stem}.py",
        ROOT / "tests" / folder / stem / f"test_{stem}.py",
    ]
    elsewhere = TESTED_ELSEWHERE.get(name)
    assert any(mirror.is_file() for mirror in mirrors) or (
        elsewhere is not None and (ROOT / elsewhere).is_file()
    ), f"tests/{folder}/test_{stem}.py"


def _does_something(name: str) -> bool:
    """Whether it has a function of its own; values and names alone are tested by who uses them."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(parsed(name))
    )


def test_the_map_is_the_tree_as_it_is() -> None:
    """docs/development.md names each room with each of its modules, and nothing else."""
    page = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
    drawn = re.search(r"```text\n(.*?)```", page, re.DOTALL)
    assert drawn is not None
    said = set(_drawn(drawn[1]))
    there = {
        str(path.relative_to(ROOT).with_suffix(""))
        for path in modules().values()
        if path.name != "__init__.py"
    }
    assert said == there


def _drawn(text: str) -> Iterator[str]:
    """`supervisor/worker/  loop, status: what it does`, and lines that go on under it."""
    folder = ""
    for line in text.splitlines():
        if found := re.match(r"(?P<folder>[\w/]+/)?\s*(?P<names>[\w ,]*?)(:|$)", line):
            folder = found["folder"] or folder
            yield from (f"{folder}{name}" for name in re.findall(r"\w+", found["names"]))
