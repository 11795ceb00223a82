"""`python -m bench` as a whole: the proxy and a handler file, both on the real SDK."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench.load import Load
from tests.client import PATIENCE
from tests.processes import ROOT, until

#: What worker-vllm's handler does with a request that streams and with one that does not.
HANDLER = """
import os
import aiohttp

async def handler(job):
    asked = job["input"]
    url = os.environ["VLLM_BASE_URL"] + asked["openai_route"]
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json=asked["openai_input"]) as answer:
            if asked["openai_input"].get("stream"):
                async for chunk in answer.content.iter_any():
                    yield LOSSY(chunk.decode())
            else:
                yield await answer.json()
"""
LOADS = ["tls-burst-5", "cancelled-4", "3"]


def handler_file(folder: Path, through: str = "str") -> Path:
    file = folder / "theirs.py"
    file.write_text(HANDLER.replace("LOSSY", through))
    return file


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments]
    files = [f"--{kind}={folder / kind}.{end}" for kind, end in (("json", "json"), ("plot", "png"))]
    return subprocess.run(
        [*command, *files], cwd=ROOT, capture_output=True, text=True, timeout=2 * PATIENCE
    )


@pytest.mark.slow
def test_every_load_with_three_contenders(tmp_path: Path) -> None:
    """One of them in a folder of its own."""
    done = bench(
        tmp_path,
        *("--quick", "--loads", ",".join(LOADS), "--tokens", "40"),
        *("--against", str(handler_file(tmp_path))),
        *("--also", f"exact={ROOT}:env BATCH_MAX_LATENCY_MS=0 python -m proxy"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads((tmp_path / "json.json").read_text())
    names = ["ours", "exact", "theirs"]
    runs = {(run["load"]["name"], run["contender"]): run for run in written["runs"]}
    assert set(runs) == {(load, name) for load in LOADS for name in names}
    for (name, _), run in runs.items():
        seen, load = run["delivered"], Load(**run["load"])
        assert seen["jobs_done"] + seen["jobs_stopped"] == load.jobs
        assert seen["jobs_stopped"] == (load.jobs // 2 if name == "cancelled-4" else 0)
        assert 0 < seen["delay_p50_ms"] <= seen["delay_p99_ms"]
        # From the submission on: both ways of the network, and the engine's first token.
        assert seen["first_p50_ms"] > load.round_trip_ms + 1000 / load.rate
        assert run["cpu_us_per_token"] > 0
    # Three streams of 40 tokens, each in batches of 1, 3, 9 and 27, and a result; the end of a
    # stream goes by itself where it comes after the last batch was full.
    assert 3 * 5 <= runs["3", "exact"]["delivered"]["posts"] <= 3 * 6
    assert (tmp_path / "plot.png").is_file()
    assert "  / theirs" in done.stdout


@pytest.mark.slow
def test_a_contender_that_loses_a_token_is_named(tmp_path: Path) -> None:
    lossy = handler_file(tmp_path, "(lambda text: text.replace('~3:', '~4:'))")
    done = bench(tmp_path, "--quick", "--loads", "1", "--against", str(lossy))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "! theirs, 1 streams, round 1: 1 tokens out of order" in done.stdout


@pytest.mark.slow
def test_a_contender_that_ends_is_named_with_its_last_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("answer = 1\n")
    done = bench(tmp_path, "--quick", "--loads", "1", "--against", str(broken))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "broken: worker ended with 2",
        f"{broken} defines no function `handler`",
    ]


@pytest.mark.slow
def test_short_jobs(tmp_path: Path) -> None:
    theirs = handler_file(tmp_path)
    done = bench(tmp_path, "--short", "--rounds", "1", "--against", str(theirs))
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-2:]
    assert ["ours" in last[0], "theirs" in last[1]] == [True, True]


@pytest.mark.slow
def test_what_metrics_cost(tmp_path: Path) -> None:
    asked = ("--overhead", "--rounds", "1", "--loads", "3", "--tokens", "40")
    done = bench(tmp_path, *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("metrics overhead: ")
    assert "us a token with 3;" in done.stdout


@pytest.mark.slow
def test_many_jobs(tmp_path: Path) -> None:
    done = bench(tmp_path, "--jobs", "40")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("40 of 40 jobs, 0 failed; memory ")


@pytest.mark.slow
def test_a_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--loads", "3", "--tokens", "10000"]
    with subprocess.Popen(
        [*command, f"--json={tmp_path}/a"], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        try:
            own = psutil.Process(process.pid)
            until(lambda: len(own.children()) == 3, what="engine, platform and worker")
            theirs = own.children(recursive=True)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 130
        finally:
            process.kill()
    gone, alive = psutil.wait_procs(theirs, PATIENCE)
    assert (len(gone), alive) == (len(theirs), [])
    assert not os.path.exists(tmp_path / "a")  # noqa: PTH110 - what was not measured is not written


@pytest.mark.slow
def test_a_stopped_start_leaves_nothing_behind() -> None:
    command = [sys.executable, "-m", "bench", "--start", "--setups", "process"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            own = psutil.Process(process.pid)
            until(lambda: len(own.children(recursive=True)) > 1, what="a worker and its engine")
            theirs = own.children(recursive=True)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 130
        finally:
            process.kill()
    assert psutil.wait_procs(theirs, PATIENCE)[1] == []
