"""What may not run at the same time is in one lane, and begins first."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.lanes import lane, rank
from tests.processes import ROOT


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("tests/e2e/test_cut.py::test_a", "tests/e2e/test_clients.py::test_b[x]", True),
        ("tests/e2e/test_faults.py::test_a", "tests/image/test_modes.py::test_b", False),
        ("tests/e2e/test_faults.py::test_a", "tests/e2e/test_parser.py::test_b", False),
        ("tests/image/test_ends.py::test_a", "tests/image/test_modes.py::test_b", True),
        ("tests/e2e/test_models.py::test_a", "tests/image/test_modes.py::test_b", True),
        ("tests/faults/test_jobs.py::test_a", "tests/faults/test_jobs.py::test_b", False),
        ("tests/test_emulator.py::test_a", "tests/test_emulator.py::test_b", True),
        ("tests/test_emulator.py::test_a", "tests/test_deploy.py::test_b", False),
    ],
)
def test_who_shares_a_lane(one: str, other: str, together: bool) -> None:
    assert (lane(one) == lane(other)) is together


def test_every_file_that_shares_the_engine_is_in_its_lane() -> None:
    """Another process would start it again, on the same port."""
    files = [file for file in (ROOT / "tests" / "e2e").glob("test_*.py") if asks_for_it(file)]
    assert len(files) > 1
    assert {lane(f"{file.relative_to(ROOT)}::test_a") for file in files} == {"engine"}


def asks_for_it(file: Path) -> bool:
    """Whether a test or a fixture in it takes `endpoint`, the fixture of the shared engine."""
    return any(
        argument.arg == "endpoint"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
    )


def test_the_order_of_tests() -> None:
    """Own engines, then the one that stays, then what takes long."""
    tests = [
        ("tests/supervisor/test_b.py::test_a", ()),
        ("tests/faults/test_jobs.py::test_a", ()),
        ("tests/image/test_ends.py::test_a", ()),
        ("tests/e2e/test_clients.py::test_a", ()),
        ("tests/image/test_modes.py::test_a", ("own_engine",)),
        ("tests/e2e/test_faults.py::test_a", ("own_engine",)),
    ]
    assert sorted(tests, key=lambda test: rank(*test)) == tests[::-1]
