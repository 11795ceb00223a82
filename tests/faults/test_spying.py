"""An engine that was taken over looks for the platform's keys in /proc, as the worker's user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.client import PATIENCE
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import FAKE_VLLM, ROOT, Worker, until
from tests.supervisor.link.test_hidden import limited

KEY = "rpa_Vf9qLw2xRtVf9qLw2xRt"

#: The stand-in engine, with a thread that reads what it can of every process once it is told to.
SPY = """
import json, os, re, runpy, sys, threading, time

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

def look():
    while not os.path.exists(GO):
        time.sleep(0.02)
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for what in ("environ", "mem"):
            try:
                found[f"{pid} {what}"] = KEY in read(pid, what)
            except OSError as reason:
                found[f"{pid} {what}"] = type(reason).__name__
    open(GO + ".part", "w").write(json.dumps(found))
    os.rename(GO + ".part", GO + ".found")

threading.Thread(target=look, daemon=True).start()
sys.argv = [FAKE, *sys.argv[1:]]
runpy.run_path(FAKE, run_name="__main__")
"""


@pytest.mark.skipif(os.getuid() == 0 and not shutil.which("setpriv"), reason="no setpriv")
def test_it_finds_no_key_of_the_platform(platform: Platform, tmp_path: Path) -> None:
    """With the capabilities that Docker gives to root, and as any other user."""
    go, spy = tmp_path / "go", tmp_path / "spy.py"
    names = f"GO, KEY, FAKE = {str(go)!r}, {KEY.encode()!r}, {str(FAKE_VLLM)!r}\n"
    spy.write_text(names + SPY)
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
        assert found[f"{open_one.pid} environ"] is True  # the look itself works
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


@pytest.mark.skipif(os.getuid() == 0 and not shutil.which("setpriv"), reason="no setpriv")
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
