"""A domain of Landlock, by whatever version of it: what is closed, and that all else goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.worker.process import confined
from tests.processes import ROOT
from tests.supervisor.link.test_hidden import limited, needs_setpriv

#: A thread is confined; what it starts looks at the process `argv[1]` and works in `argv[2]`.
PROGRAM = """
import subprocess, sys, threading
from supervisor.worker.process import confined

def run():
    print(confined.confine({version}))
    print(subprocess.run([sys.executable, "-c", {looks!r}, *sys.argv[1:]], text=True,
                         capture_output=True, check=True).stdout, end="")

thread = threading.Thread(target=run)
thread.start()
thread.join()
open(f"/proc/{{sys.argv[1]}}/environ").read(), open(f"/proc/{{sys.argv[1]}}/mem").close()
print("the others can look")
"""
LOOKS = """
import multiprocessing.shared_memory as memory, os, signal, subprocess, sys, tempfile
other, folder = int(sys.argv[1]), sys.argv[2]

def tried(what):
    try:
        what()
        return "done"
    except OSError as reason:
        return type(reason).__name__

def environ(pid): open(f"/proc/{pid}/environ", "rb").read()

print("environ", tried(lambda: environ(other)))
print("mem", tried(lambda: open(f"/proc/{other}/mem", "rb").close()))
print("descriptors", tried(lambda: os.readlink(f"/proc/{other}/fd/0")))
print("signal", tried(lambda: os.kill(other, 0)))
own = subprocess.Popen(["sleep", "60"])
print("own", tried(lambda: environ(own.pid)), tried(lambda: own.kill()), own.wait())
os.mkdir(f"{folder}/a"), os.mkdir(f"{folder}/b"), open(f"{folder}/a/file", "w").close()
os.rename(f"{folder}/a/file", f"{folder}/b/file")
os.link(f"{folder}/b/file", f"{folder}/a/link")
os.symlink("b", f"{folder}/c"), os.rename(f"{folder}/b", f"{folder}/a/b")
with tempfile.NamedTemporaryFile(dir="/dev/shm") as one:
    os.link(one.name, one.name + ".2"), os.unlink(one.name + ".2")
shared = memory.SharedMemory(create=True, size=1)
shared.close(), shared.unlink()
print("files go on")
"""


def version() -> int:
    """Of this kernel's Landlock; 0 where there is none."""
    try:
        return confined._call(confined._CREATE_RULESET, None, 0, confined._VERSION)
    except OSError:
        return 0


needs_landlock = pytest.mark.skipif(version() < 2, reason="this kernel confines nobody")


@needs_setpriv
@needs_landlock
@pytest.mark.parametrize("of", [None, 2, 5, 6])
def test_it_looks_into_nobody_outside_and_does_all_else(of: int | None, tmp_path: Path) -> None:
    if (of or 0) > version():
        pytest.skip("this kernel is older")
    other = subprocess.Popen([*limited(), "sleep", "60"], env={**os.environ, "KEY": "x"})
    try:
        code = PROGRAM.format(version=of, looks=LOOKS)
        done = subprocess.run(
            [*limited(), sys.executable, "-c", code, str(other.pid), str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    finally:
        other.kill()
        other.wait()
    assert done.stderr == ""
    scoped = "PermissionError" if (of or version()) >= 6 else "done"
    assert done.stdout.splitlines() == [
        "True",
        *(f"{each} PermissionError" for each in ("environ", "mem", "descriptors")),
        f"signal {scoped}",
        "own done done -9",
        "files go on",
        "the others can look",
    ]


@pytest.mark.parametrize("old", [0, 1])
def test_where_the_kernel_cannot_nothing_is_done(old: int) -> None:
    code = f"from supervisor.worker.process.confined import confine; print(confine({old}))"
    look = f"{code}; import os; print('NoNewPrivs:\\t0' in open('/proc/self/status').read())"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"], done.stderr


def test_a_filter_of_calls_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an old Docker's, which knows no Landlock."""
    monkeypatch.setattr(confined, "_CREATE_RULESET", 1 << 20)
    assert confined.confine() is False
