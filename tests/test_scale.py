"""A small `make scale`, and that it sees what it is there to see."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from resource import RLIMIT_NOFILE, setrlimit
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest

from tests import client
from tests.client import PATIENCE
from tests.emulator.environment import API_KEY
from tests.endpoint import Platform
from tests.processes import ROOT, until
from tests.scale import jobs
from tests.scale.__main__ import report
from tests.scale.figures import Measured, fairness, lines
from tests.scale.run import Size, run
from tests.scale.verdict import Cut, judge

_HEADERS = {"Authorization": API_KEY}


@pytest.mark.slow
def test_no_job_is_lost_where_a_third_of_the_workers_is_cut_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = Size(
        clients=40, workers=1, concurrency=10, jobs=300, seconds=0.3, cut=14, away=2.0,
        patience=PATIENCE,
    )  # fmt: skip
    outcome = run(size, tmp_path)
    assert report(outcome) == 0, outcome.verdict
    told = capsys.readouterr().out
    assert "jobs: 300 of 300 ended" in told
    assert "of 14 workers; 14 came back" in told
    assert "lost: 0" in told
    assert outcome.measured.connections >= 14
    assert all(back is not None and back >= 2.0 for back in outcome.measured.cut.values())
    assert {"real-0", "light-0", "light-39"} <= {job["workerId"] for job in outcome.found}


@pytest.mark.slow
def test_a_job_that_is_lost_or_answered_twice_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken: dict[str, str] = {}

    def steal(platform: Platform, name: str, ends: int) -> None:
        """A worker that takes one job of the run, and reports its end too rarely or too often."""
        url = f"{platform.url}/{{}}/{name}"
        found = httpx.Response(204)
        while found.status_code == 204:
            found = client.get(url.format("job-take"), headers=_HEADERS)
        job = found.json()
        taken[name] = job["id"]
        for _ in range(ends):
            body = {"output": jobs.pieces(job["input"]["openai_input"])}
            client.post(f"{url.format('job-done')}/{job['id']}", json=body, headers=_HEADERS)

    def beside(platform: Platform) -> None:
        for name, ends in (("loses", 0), ("repeats", 2)):
            Thread(target=steal, args=(platform, name, ends), daemon=True).start()

    size = Size(clients=10, workers=0, jobs=100, seconds=0.2, cut=0, patience=10.0)
    outcome = run(size, tmp_path, beside)
    assert report(outcome) == 1
    told = capsys.readouterr().out
    assert f"{taken['loses']}: it is IN_PROGRESS" in told
    assert f"{taken['repeats']}: its end was reported 2 times" in told
    assert [sentence.split(": ")[0].split(", ")[1] for sentence in outcome.verdict.lost] == [
        taken["loses"]
    ]


@pytest.mark.parametrize(
    ("soft", "hard", "code", "told"),
    [
        # The soft limit is raised: 40 light workers have 80 polls open.
        (64, 4096, 0, "lost: 0\n"),
        (64, 300, 1, "a process may have 300 files open; 40 workers need 360: raise the limit"),
    ],
)
def test_a_run_needs_many_files(soft: int, hard: int, code: int, told: str) -> None:
    command = [sys.executable, "-m", "tests.scale", "--workers=0", "--clients=40", "--jobs=80"]
    done = subprocess.run(
        [*command, "--seconds=0.1", "--cut=0"], cwd=ROOT, capture_output=True, text=True,
        timeout=PATIENCE, preexec_fn=lambda: setrlimit(RLIMIT_NOFILE, (soft, hard)),
    )  # fmt: skip
    assert (done.returncode, told in done.stdout + done.stderr) == (code, True), done
    assert len(done.stderr.splitlines()) == code


def test_a_run_that_is_ended_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.scale", "--workers=1", "--clients=2", "--cut=0"]
    with subprocess.Popen(
        [*command, "--keep", str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL
    ) as one:
        process, log = psutil.Process(one.pid), tmp_path / "worker-0.log"

        def at_work() -> list[psutil.Process]:
            """The emulator, both processes of light workers, a real one with its own."""
            ready = log.exists() and "/completions 200" in log.read_text()
            return process.children(recursive=True) if ready else []

        try:
            children = until(at_work, what="jobs at work")
        finally:
            one.terminate()
        assert len(children) >= 6
        assert one.wait(PATIENCE) == 143
    assert psutil.wait_procs(children, PATIENCE)[1] == []


# --- what a run finds of a job ---


def known(number: int, **more: Any) -> dict[str, Any]:
    """A job as the platform knows it, answered well; times in seconds."""
    outputs = jobs.pieces(jobs.asked(number, 1.0)["openai_input"])
    job = {"id": f"id-{number}", "status": "COMPLETED", "output": outputs, "done": 1}
    job |= {"posts": [{"output": output} for output in outputs], "redelivered": 0}
    times = {"queuedAt": 0.0, "takenAt": 1.0 + number, "endedAt": 10.0}
    return {**job, **times, "workerId": f"light-{number % 2}", **more}


@pytest.mark.parametrize(
    ("more", "runs", "lost", "twice"),
    [
        ({}, 1, None, None),
        ({"status": "IN_PROGRESS", "done": 0, "posts": []}, 0, "it is IN_PROGRESS", None),
        ({"status": "FAILED", "error": "no"}, 1, "it is FAILED no", None),
        ({"output": [" w0 w1 w3"]}, 1, "its answer has the tokens [0, 1, 3], not", "its stream"),
        ({"output": {"a": 1}}, 1, "its answer has the tokens [], not", "its stream"),
        ({"done": 2}, 1, None, "its end was reported 2 times"),
        ({}, 2, None, "it was run 2 times"),
        ({"posts": [{"output": " w0 w1"}] * 3}, 1, None, "its stream had 3 outputs, its result 2"),
    ],
)
def test_what_is_wrong_with_a_job_is_told(
    more: dict[str, Any], runs: int, lost: str | None, twice: str | None
) -> None:
    verdict = judge([known(0), known(1, **more)], Counter({0: 1, 1: runs}), Cut())
    for found, expected in ((verdict.lost, lost), (verdict.twice, twice)):
        assert len(found) == (expected is not None)
        assert all(one.startswith(f"job 1, id-1: {expected}") for one in found)
    assert verdict.good == (lost is None and twice is None)


def test_a_worker_that_does_not_come_back_is_told() -> None:
    verdict = judge([known(0)], Counter({0: 1}), Cut(2, {"light-0": 5.2, "light-1": None}, 2))
    assert (verdict.away, verdict.good) == (["light-1 is not back"], False)


@pytest.mark.parametrize(
    ("cut", "told"),
    [
        (Cut(0), []),
        (Cut(1, {"light-0": 5.2}, 2), []),
        (Cut(333), ["333 workers were to be cut off, and 0 were"]),
        (Cut(2, {"light-0": 5.2}, 2), ["2 workers were to be cut off, and 1 were"]),
        (Cut(1, {"light-0": 5.2}, 0), ["1 workers were cut off, and had no connection"]),
    ],
)
def test_a_cut_that_never_happened_is_told(cut: Cut, told: list[str]) -> None:
    """Where all jobs had ended, or were lost, before it could be."""
    verdict = judge([known(0)], Counter({0: 1}), cut)
    assert (verdict.uncut, verdict.good) == (told, not told)


def test_any_worker_can_answer_a_job() -> None:
    for number in range(12):
        body = jobs.asked(number, 2.0)["openai_input"]
        assert jobs.told(jobs.pieces(body)) == list(range(jobs.tokens_of(number)))
        assert body["fake"]["tokens"] / body["fake"]["rate"] == pytest.approx(2.0)


def test_the_figures() -> None:
    cpu = {"platform": 2.0, "light workers": 1.0}
    measured = Measured([(0, 0), (6, 3), (2, 8)], cpu, 500.0, 7, {"light-0": 5.5, "light-1": None})
    found = [known(number) for number in range(4)]
    found += [known(4, workerId="light-0"), known(5, endedAt=None, takenAt=None)]
    assert list(lines(found, measured)) == [
        "jobs: 5 of 6 ended in 10.0 s, 0 jobs/s; submitted within 0.0 s, drained 10.0 s later",
        (
            "in the queue: 6 jobs at most (10 with those at workers);"
            " a job waited 3.0 s at the median, 5.0 s at most, 1 over 4 s"
        ),
        "fairness: 2 light workers, 2 to 3 jobs each; most to mean 1.20, fewest to mean 0.80",
        (
            "cut at once: 7 connections of 2 workers; 1 came back, the last after 5.5 s;"
            " 0 jobs went back into the queue"
        ),
        (
            "CPU: platform 2.0 s (400.00 ms a job), light workers 1.0 s (200.00 ms a job); together"
            " 0.30 cores; memory: 500 MB"
        ),
    ]
    assert list(lines([known(0, endedAt=None)], measured)) == ["no job ended"]
    assert fairness([1, 2, 3]) == (1.5, 0.5)
