"""Processes of a run: found, measured and ended with all that they started."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from bench.around.processes import ProcessEndedError, running
from tests.client import PATIENCE

BUSY = "end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"


async def test_python_is_this_one_also_behind_env() -> None:
    code = "import sys; print(sys.executable)"
    for command in (["python", "-c", code], ["env", "A=b", "python", "-c", code]):
        async with running("it", command) as one:
            found = Path(await one.line(PATIENCE))
        assert found.parent == Path(sys.executable).parent


async def test_it_runs_in_its_folder_and_knows_no_real_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNPOD_WEBHOOK_PING", "http://real")
    code = "import os; print(os.getcwd(), os.environ.get('RUNPOD_WEBHOOK_PING'))"
    async with running("it", ["python", "-c", code], folder=tmp_path) as one:
        assert await one.line(PATIENCE) == f"{tmp_path} None"


async def test_cpu_time_counts_children_that_run_and_that_ended() -> None:
    child = f"import time\n{BUSY}print('busy', flush=True)\n"
    code = (
        f"import subprocess, sys, time\n{BUSY}"
        f"subprocess.run([sys.executable, '-c', {child!r}])\n"
        f"subprocess.run([sys.executable, '-c', {child + 'time.sleep(999)'!r}])\n"
    )
    async with running("it", ["python", "-c", code]) as one:
        for _ in range(2):
            assert await one.line(PATIENCE) == "busy"
        assert one.cpu_s() >= 0.6
        children = psutil.Process(one._process.pid).children()
    assert psutil.wait_procs(children, PATIENCE)[1] == []


async def test_a_process_that_ends_says_so() -> None:
    async with running("it", ["python", "-c", "raise SystemExit(3)"]) as one:
        with pytest.raises(ProcessEndedError, match="it ended with 3"):
            await asyncio.wait_for(one.ended(), PATIENCE)
        with pytest.raises(ProcessEndedError, match="it ended"):
            await one.line(PATIENCE)


async def test_a_command_that_is_not_there() -> None:
    with pytest.raises(ProcessEndedError, match="nothere cannot be run: No such file"):
        async with running("it", ["nothere"]):
            pass


async def test_a_process_that_says_nothing() -> None:
    async with running("it", ["sleep", "999"]) as one:
        with pytest.raises(ProcessEndedError, match="it said nothing for 0 s"):
            await one.line(0.1)
