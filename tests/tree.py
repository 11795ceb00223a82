"""The project's modules, and which of them imports which: read from their text."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.processes import ROOT

PACKAGES = ("supervisor", "proxy")


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file; a package has the name of its folder."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def parsed(name: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


@cache
def imports(name: str) -> frozenset[str]:
    """The modules that `name` imports, ours by their whole name, wherever the import stands.

    What is imported for the type checker alone does not count.
    """
    return frozenset(_imports(parsed(name), name))


def ours(name: str) -> frozenset[str]:
    """Those of them that are ours."""
    return frozenset(each for each in imports(name) if each in modules() and each != name)


def _imports(tree: ast.AST, name: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _from(node, name)
        else:
            yield from _imports(node, name)


def _from(node: ast.ImportFrom, name: str) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        is_package = modules()[name].name == "__init__.py"
        up = name.split(".")
        kept = up[: len(up) - node.level + (1 if is_package else 0)]
        base = ".".join([*kept, *([node.module] if node.module else [])])
    for alias in node.names:
        whole = f"{base}.{alias.name}"
        yield whole if whole in modules() else base


def packages() -> list[str]:
    """The names of all packages, at every depth."""
    return [name for name, path in modules().items() if path.name == "__init__.py"]


def neighbours(package: str, graph: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """What stands side by side in `package`, and which of it imports which of it.

    A sub-package stands for all that is in it; `package` itself for its own `__init__`. `graph` is
    module -> the modules that it imports.
    """

    def place(name: str) -> str:
        return ".".join(name.split(".")[: package.count(".") + 2])

    inside = [name for name in graph if f"{name}.".startswith(f"{package}.")]
    found: dict[str, set[str]] = {place(name): set() for name in inside}
    for name in inside:
        found[place(name)] |= {place(each) for each in graph[name] if place(each) in found}
    return {name: others - {name} for name, others in found.items()}


def reached(name: str) -> set[str]:
    """The modules of ours that importing `name` imports, itself and the packages above included."""
    found: set[str] = set()
    todo = [name]
    while todo:
        one = todo.pop()
        if one in modules() and one not in found:
            found.add(one)
            todo += [*ours(one), one.rpartition(".")[0]]
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The names of one circle in a graph of name -> names; empty where there is none."""
    done: set[str] = set()

    def walk(at: str, path: list[str]) -> list[str]:
        if at in path:
            return [*path[path.index(at) :], at]
        if at in done:
            return []
        for after in sorted(graph.get(at, ())):
            if found := walk(after, [*path, at]):
                return found
        done.add(at)
        return []

    for start in sorted(graph):
        if found := walk(start, []):
            return found
    return []
