"""Whether two texts say the same."""

from __future__ import annotations

import pytest

from supervisor.command.legacy.meaning import same
from tests.supervisor.command.test_translate import catalog


@pytest.mark.parametrize(
    ("one", "other", "flag", "expected"),
    [
        ("true", "1", "--enforce-eager", True),
        ("true", "0", "--enforce-eager", False),
        ("0.9", ".90", "--gpu-memory-utilization", True),
        ("4096", "4096.0", "--max-model-len", True),
        ("4096", "4097", "--max-model-len", False),
        ('{"a": 1}', '{"a":1}', "--hf-overrides", True),
        ("x", " x ", "--tokenizer", True),
        ("1", "true", "--tokenizer", False),
        ("yes", "on", None, True),
        ("0.0", "0", None, True),
        ("NaN", "nan", None, False),
        ("[" * 100_000, "[", None, False),
    ],
)
def test_meanings_are_compared(one: str, other: str, flag: str | None, expected: bool) -> None:
    option = catalog("0.32.0").option(flag) if flag else None
    assert same(one, other, option) is expected
