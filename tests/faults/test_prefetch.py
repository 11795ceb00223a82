"""A download ahead in whole workers: one that hangs, and the end of a worker beside it."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from pathlib import Path

import pytest

from tests import fuse
from tests.conftest import Start
from tests.processes import FAKE_VLLM, Worker, until

_NAME = "part"
_WHY = "download ahead of org/m: it broke off. The engine goes on by itself"


def command(folder: Path, download: str, first: str) -> str:
    """An engine whose interpreter runs the shell's `download` in the place of ours, and `first`
    before itself.
    """
    interpreter = folder / "python3"
    interpreter.write_text(
        f'#!/bin/sh\ncase "$1" in */foreign/download) {download};; esac\n{first}\n'
        f'exec {sys.executable} "$@"\n'
    )
    interpreter.chmod(interpreter.stat().st_mode | stat.S_IXUSR)
    return f"{interpreter} {FAKE_VLLM}"


def begin(start: Start, folder: Path, download: str, first: str = "", **more: str) -> Worker:
    return start(
        VLLM_COMMAND=command(folder, download, first),
        MODEL_NAME="org/m",
        PREFETCH="1",
        HF_HOME=str(folder / "cache"),
        **more,
    )


@pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
def test_one_that_hangs_on_a_volume_holds_up_no_stop(start: Start, tmp_path: Path) -> None:
    folder, pid = tmp_path / "volume", tmp_path / "pid"
    folder.mkdir()
    (folder / _NAME).touch()
    with fuse.mounted(tmp_path / "mount", folder, f"--hang-opens={_NAME}") as place:
        worker = begin(start, tmp_path, f"echo $$ > {pid}; exec cat {place / _NAME}")
        until(lambda: pid.exists() and pid.read_text().strip(), what="the download")
        until(lambda: fuse.hangs(int(pid.read_text()), place), what="the hang")
        worker.until_ready()
        began = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - began < 8
        assert fuse.hangs(int(pid.read_text()), place)
    until(lambda: worker.left() == [], what="its end")


@pytest.mark.parametrize("more", [{}, {"ANSWER_FAILED_FOR": "0"}])
def test_a_worker_that_gives_up_lets_it_clear_up(
    start: Start, tmp_path: Path, more: dict[str, str]
) -> None:
    """What a killed download leaves on a volume stays there until a later start."""
    part = tmp_path / _NAME
    download = (
        f"trap 'sleep 0.2; rm {part}; exit 1' TERM; touch {part}; while :; do sleep 0.1; done"
    )
    go = tmp_path / "go"
    worker = begin(
        start, tmp_path, download, FAKE_VLLM=f"wait-for={go} exit=1", MAX_RESTARTS="0", **more
    )
    until(part.exists, what="the download")
    go.touch()
    assert worker.wait() != 0
    assert not part.exists()
    assert worker.left() == []


def test_a_ready_engine_needs_it_no_more(start: Start, tmp_path: Path) -> None:
    """What vLLM did not ask for is not downloaded beside its jobs."""
    part = tmp_path / _NAME
    download = f"trap 'rm {part}; exit 1' TERM; touch {part}; while :; do sleep 0.1; done"
    worker = begin(start, tmp_path, download, FAKE_VLLM=f"wait-for={tmp_path / 'go'}")
    until(part.exists, what="the download")
    (tmp_path / "go").touch()
    worker.until_ready()
    until(lambda: not part.exists(), what="its end")
    assert worker.stop() == 0


def test_why_it_failed_is_not_why_a_later_engine_does(start: Start, tmp_path: Path) -> None:
    """One that was ready had all that it needs from the hub."""
    ran, go = tmp_path / "ran", tmp_path / "go"
    worker = begin(
        start,
        tmp_path,
        f"echo '{_WHY}'; exit 1",
        f"test ! -e {ran} || exit 3; touch {ran}",
        FAKE_VLLM=f"wait-for={go}",
        MAX_RESTARTS="1",
    )
    until(lambda: _WHY in worker.text(), what="the line")
    go.touch()
    worker.until_ready()
    os.kill(worker.engine_pid(), signal.SIGKILL)
    assert worker.wait() != 0
    assert worker.text().count("engine spawned") == 2
    assert "Beside it" not in worker.text()


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        ("echo Loading weights took 3.0 seconds", False),
        ("echo torch.OutOfMemoryError: CUDA out of memory", False),
        ("echo importing", True),
    ],
)
def test_why_it_failed_is_told_beside_an_end_that_may_come_of_it(
    start: Start, tmp_path: Path, engine: str, told: bool
) -> None:
    """An engine that had its weights had fetched them itself."""
    said = tmp_path / "said"
    first = f"until test -e {said}; do sleep 0.1; done; {engine}; exit 1"
    worker = begin(start, tmp_path, f"echo '{_WHY}'; exit 1", first, MAX_RESTARTS="0")
    until(lambda: _WHY in worker.text(), what="the line")
    until(lambda: worker.ping() is not None, what="the control port")
    until(lambda: worker.status()["doing"] == "importing", what="its end")
    said.touch()
    assert worker.wait() != 0
    assert ("Beside it: download ahead of org/m: it broke off" in worker.text()) == told
