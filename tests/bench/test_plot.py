"""The picture can be drawn from what was measured."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from bench import plot, report
from bench.arguments import OURS, PASS_THROUGH
from tests.bench.runs import run
from tests.processes import ROOT


def test_a_stream_of_each_contender(tmp_path: Path) -> None:
    """The same figures make the same file; names and texts stay words."""
    seen = [(10.0 * n, 10.0 * n + 20) for n in range(50)]
    lumps = [(10.0 * n, 200.0 * (n // 20 + 1)) for n in range(50)]
    runs = [run("mine", stream=seen), run("theirs", stream=lumps)]
    files = [tmp_path / "new" / name for name in ("one.svg", "two.svg")]
    for file in files:
        plot.tokens(file, runs)
    one, two = (file.read_text() for file in files)
    assert one == two
    assert all(f">{name}</text>" in one for name in ("mine", "theirs", "the engine sends"))
    ElementTree.fromstring(one)  # noqa: S314 - we made it


def test_the_readmes_picture_is_one_of_these() -> None:
    shown = re.findall(
        r"^!\[.+\]\((docs/tokens\.svg)\)$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    (drawn,) = [(ROOT / path).read_text() for path in shown]
    assert all(f">{name}</text>" in drawn for name in ("the engine sends", OURS, PASS_THROUGH))
    assert len(drawn) < 50_000


def test_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "new" / "bench.png"
    plot.plot(file, report.medians([run(delay_p50_ms=3.0), run("theirs")]), "a title")
    assert file.read_bytes().startswith(b"\x89PNG")
