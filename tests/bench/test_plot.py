"""The picture can be drawn from what was measured."""

from __future__ import annotations

from pathlib import Path

from bench import plot, report
from tests.bench.runs import run


def test_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "new" / "bench.png"
    plot.plot(file, report.medians([run(delay_p50_ms=3.0), run("theirs")]), "a title")
    assert file.read_bytes().startswith(b"\x89PNG")
