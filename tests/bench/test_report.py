"""What is made of the figures of many runs."""

from __future__ import annotations

import json
from pathlib import Path

from bench import report
from bench.load import Load
from tests.bench.runs import run

MANY = Load(3, 0, name="3")


def test_medians_are_of_one_load_and_one_contender() -> None:
    runs = [
        *(run(cpu_us_per_token=each) for each in (30.0, 10.0, 20.0)),
        run("theirs", cpu_us_per_token=40.0),
        run(load=MANY, cpu_us_per_token=50.0),
    ]
    found = report.medians(runs)
    assert {kind: each["us/token"] for kind, each in found.items()} == {
        ("1", "ours"): 20,
        ("1", "theirs"): 40,
        ("3", "ours"): 50,
    }


def test_the_table_has_ratios_to_the_baseline() -> None:
    runs = [run("theirs", delay_p50_ms=40.0), run(delay_p50_ms=10.0), run("other")]
    lines = report.table(report.medians(runs), "theirs").splitlines()
    names = [line[15:37].strip() for line in lines]
    assert names[1:6] == ["ours", "/ theirs", "other", "/ theirs", "theirs"]
    column = lines[0].index("p50 ms") + len("p50 ms")
    values = [line[:column].split()[-1] for line in lines[1:6]]
    assert values == ["10.0", "0.25", "0.0", "0.00", "40.0"]


def test_a_run_is_one_line() -> None:
    text = report.line(run("theirs", first_last_ms=1234.0, jobs_done=0))
    assert "\n" not in text
    assert "1234 ms" in text
    assert "only 0 of 1 jobs were over in time" in text


def test_what_makes_figures_doubtful() -> None:
    assert report.remarks([run(), run("theirs")]) == []
    told = report.remarks(
        [run(problem="it broke"), run(engine_cores=0.95, load=MANY), run(other_cores=0.7)]
    )
    assert [each.split(":")[0] for each in told] == [
        "ours, 1 streams, round 1",
        "the engine used 0.95 cores in 3",
        "in 1 of 3 runs other processes used over 0.2 cores",
    ]


def test_json_has_every_run(tmp_path: Path) -> None:
    file = tmp_path / "new" / "bench.json"
    runs = [run(), run("theirs", posts=7)]
    report.write_json(file, runs, report.medians(runs))
    written = json.loads(file.read_text())
    assert [each["delivered"]["posts"] for each in written["runs"]] == [0, 7]
    assert written["medians"][1]["POSTs"] == 7
