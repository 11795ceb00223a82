"""All starts in turn, with the stand-in engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cold import measure
from bench.cold.setups import LOCAL
from tests.bench.cold.engine import vllm


@pytest.mark.slow
def test_what_is_printed_of_a_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure.run([LOCAL], 1, vllm(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:3]] == [
        "round 1, local, bare",
        "round 1, local, ours",
        "round 1, local, ours, warmed up",
    ]
    goals = [line for line in lines if line.startswith(("met", "missed"))]
    assert len(goals) == 3
    assert all(line.split()[1] == "local:" for line in goals)
