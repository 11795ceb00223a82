"""Orphans, in a process of its own: everything that it has not claimed is ended."""

from __future__ import annotations

import subprocess
import sys

from tests.client import PATIENCE
from tests.processes import ROOT

#: A daemon in a session of its own, whose parent ends at once; and a child that is claimed.
CODE = """
import asyncio, subprocess, time
from supervisor.worker.process import orphans

daemon = "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(300)"

async def main():
    ours = subprocess.Popen(["sleep", "300"])
    known = orphans.Orphans()
    known.claim(ours.pid)
    orphans.adopt()
    subprocess.run([PYTHON, "-c", daemon], check=True)
    end = time.monotonic() + 60
    while known.reap(kill=False) != 1:
        assert time.monotonic() < end, "the daemon did not come"
    assert ours.pid in orphans.children(os.getpid())
    assert len(orphans.descendants(os.getpid())) == 2
    with known.birth():
        assert known.reap(kill=True) == 0, "nobody is an orphan while a child is being born"
    assert await known.end()
    assert ours.poll() is None, "a child of ours was ended"
    known.release(ours.pid)
    assert await known.end()
    assert orphans.children(os.getpid()) == []

import os
asyncio.run(main())
"""


def test_what_left_its_group_is_ended_and_ours_is_not() -> None:
    code = CODE.replace("PYTHON", repr(sys.executable))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
