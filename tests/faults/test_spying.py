"""An engine that was taken over looks for the platform's keys in /proc, as the worker's user."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.client import PATIENCE
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import FAKE_VLLM, ROOT, Worker, until
from tests.supervisor.link.test_hidden import limited, needs_setpriv
from tests.supervisor.worker.process.test_confined import needs_landlock, version

KEY = "rpa_Vf9qLw2xRtVf9qLw2xRt"

#: The stand-in engine, with a thread that reads what it can of every process once it is told to.
READ = """
import os, sys, time

def read(pid, what):
    if what == "environ":
        return open(f"/proc/{pid}/environ", "rb").read()
    data = b""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in open(f"/proc/{pid}/maps"):
            if "[stack]" in line or "[heap]" in line:
                start, end = (int(each, 16) for each in line.split()[0].split("-"))
                memory.seek(start)
                data += memory.read(end - start)
    return data
"""
SPY = """
import json, runpy, subprocess, threading

def look():
    own = subprocess.Popen(["sleep", "60"], env={"ANY_KEY": KEY.decode(), **os.environ})
    while not os.path.exists(GO):
        time.sleep(0.02)
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for what in ("environ", "mem"):
            try:
                found[f"{pid} {what}"] = KEY in read(pid, what)
            except OSError as reason:
                found[f"{pid} {what}"] = type(reason).__name__
    found["own"] = found[f"{own.pid} environ"]
    own.kill(), own.wait()
    open(GO + ".part", "w").write(json.dumps(found))
    os.rename(GO + ".part", GO + ".found")

threading.Thread(target=look, daemon=True).start()
sys.argv = [FAKE, *sys.argv[1:]]
runpy.run_path(FAKE, run_name="__main__")
"""
#: Looks for ever at whatever was started after it, and keeps what it found.
HUNT = """
def hunt(found):
    before = set(os.listdir("/proc"))
    while True:
        for pid in filter(str.isdigit, set(os.listdir("/proc")) - before):
            for what in ("environ", "mem"):
                try:
                    if KEY in read(pid, what):
                        with open(found, "a") as file:
                            file.write(f"{what} of {pid}\\n")
                except (OSError, ValueError):
                    pass
        open(found + ".looked", "w").close()
"""
HUNTING_ENGINE = """
import runpy, threading
threading.Thread(target=hunt, args=(FOUND,), daemon=True).start()
sys.argv = [FAKE, *sys.argv[1:]]
runpy.run_path(FAKE, run_name="__main__")
"""


@needs_setpriv
def test_it_finds_no_key_of_the_platform(platform: Platform, tmp_path: Path) -> None:
    """With the capabilities that Docker gives to root, and as any other user."""
    go, spy = tmp_path / "go", tmp_path / "spy.py"
    names = f"GO, KEY, FAKE = {str(go)!r}, {KEY.encode()!r}, {str(FAKE_VLLM)!r}\n"
    spy.write_text(names + READ + SPY)
    shown = [*limited(), sys.executable, "-c", "import time; time.sleep(60)"]
    open_one = subprocess.Popen(shown, env={"ANY_KEY": KEY})
    worker = Worker(
        tmp_path / "worker.log",
        {
            **worker_environment(platform.root),
            "RUNPOD_API_KEY": KEY,
            "VLLM_COMMAND": f"{sys.executable} {spy}",
        },
        before=limited(),
    )
    try:
        worker.until_ready()
        (proxy,) = [p.pid for p in worker.left() if p.cmdline()[1:] == ["-m", "proxy"]]
        assert KEY in psutil.Process(proxy).environ().values()
        go.touch()
        until(lambda: Path(f"{go}.found").exists(), what="the look")
        found = json.loads(Path(f"{go}.found").read_text())
        for pid in (worker.process.pid, proxy):
            assert found[f"{pid} environ"] == found[f"{pid} mem"] == "PermissionError"
        assert found.pop("own") is True  # the look itself works
        closed = "PermissionError" if version() >= 2 else True
        assert found[f"{open_one.pid} environ"] == closed  # one that has not hidden itself
        ours = {p.pid for p in worker.left()}
        assert not [
            each for each, key in found.items() if key is True and int(each.split()[0]) in ours
        ]
        limits = Path(f"/proc/{worker.engine_pid()}/limits").read_text()
        assert "Max core file size        0                    0" in limits
        assert "NoNewPrivs:\t1" in Path(f"/proc/{worker.engine_pid()}/status").read_text()
        assert worker.stop() == 0
    finally:
        worker.end()
        open_one.kill()
        open_one.wait()


@needs_setpriv
@needs_landlock
def test_it_finds_no_key_in_a_proxy_that_starts(platform: Platform, tmp_path: Path) -> None:
    """For some tens of milliseconds that has not hidden itself yet, and another one finds it."""
    engines, others = tmp_path / "engines", tmp_path / "others"
    names = f"KEY, FAKE, FOUND = {KEY.encode()!r}, {str(FAKE_VLLM)!r}, {str(engines)!r}\n"
    (tmp_path / "spy.py").write_text(names + READ + HUNT + HUNTING_ENGINE)
    worker = Worker(
        tmp_path / "worker.log",
        {
            **worker_environment(platform.root),
            "RUNPOD_API_KEY": KEY,
            "VLLM_COMMAND": f"{sys.executable} {tmp_path / 'spy.py'}",
            "MAX_RESTARTS": "100",
        },
        before=limited(),
    )
    code = f"{names}{READ}{HUNT}hunt({str(others)!r})"
    other = None
    try:
        worker.until_ready()
        other = subprocess.Popen([*limited(), sys.executable, "-c", code])
        for each in (engines, others):
            until(Path(f"{each}.looked").exists, what="its looks")
        killed: set[int] = set()
        while len(killed) < 4 or not others.exists():
            one = until(lambda: proxy_beside(worker, killed), what="a proxy") or 0
            os.kill(one, signal.SIGKILL)
            killed.add(one)
            assert len(killed) < 30, "nobody finds it"
        Path(f"{engines}.looked").unlink()
        until(Path(f"{engines}.looked").exists, what="the last look")
        assert not engines.exists(), engines.read_text()
        assert worker.stop() == 0
    finally:
        worker.end()
        if other is not None:
            other.kill()
            other.wait()


def proxy_beside(worker: Worker, gone: set[int]) -> int | None:
    """A proxy of this worker's that is well past its beginning, and none of those."""
    for each in psutil.Process(worker.process.pid).children():
        with contextlib.suppress(psutil.Error):
            is_one = each.cmdline()[1:] == ["-m", "proxy"] and each.pid not in gone
            if is_one and each.memory_info().rss > 30 << 20:
                return each.pid
    return None


@needs_setpriv
def test_its_interpreter_finds_none_in_who_asks_it(tmp_path: Path) -> None:
    """It is asked for vLLM's version in the first hundredth of a second of a start."""
    interpreter, found = tmp_path / "python", tmp_path / "found"
    look = f"{{ echo asked; cat /proc/$PPID/environ; }} >>{found} 2>&1"
    interpreter.write_text(f"#!/bin/sh\n{look}\nexit 1\n")
    interpreter.chmod(0o755)
    done = subprocess.run(
        [*limited(), sys.executable, "-m", "supervisor"],
        cwd=ROOT,
        env={**os.environ, "RUNPOD_API_KEY": KEY, "VLLM_COMMAND": str(interpreter)},
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.returncode != 0
    assert found.read_bytes()
    assert KEY.encode() not in found.read_bytes()
