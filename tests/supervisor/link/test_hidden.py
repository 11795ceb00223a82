"""A process that hides cannot be read by another one of its user; what it starts is limited."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, until

#: Docker's default capabilities, as `setpriv` takes them.
DOCKERS = (
    "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,"
    "+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap"
)
needs_setpriv = pytest.mark.skipif(
    os.getuid() == 0 and shutil.which("setpriv") is None, reason="there is no setpriv"
)
HIDING = """
import subprocess, sys, time
from supervisor.link import hidden
if sys.argv[1] == "hide":
    hidden.hide()
code = "import resource, time; print(resource.getrlimit(resource.RLIMIT_CORE));" \
    "print('NoNewPrivs:\\t1' in open('/proc/self/status').read(), flush=True); time.sleep(60)"
open("/proc/self/cgroup").read(), open("/proc/self/mountinfo").read()
print("reads", flush=True)
subprocess.run([sys.executable, "-c", code], timeout=60)
"""


def limited() -> list[str]:
    """What runs a command as a container's root is, or as we are where we are no root."""
    return ["setpriv", "--bounding-set", DOCKERS] if os.getuid() == 0 else []


@needs_setpriv
@pytest.mark.parametrize("how", ["hide", "show"])
def test_nobody_of_its_user_reads_it(how: str) -> None:
    process = subprocess.Popen(
        [*limited(), sys.executable, "-c", HIDING, how],
        env={"KEY": "Vf9qLw2xRt", "PYTHONPATH": str(ROOT)},
        cwd="/",
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        out = process.stdout
        assert out is not None
        assert out.readline() == "reads\n"
        said = "".join(out.readline() for _ in range(2))
        for what in ("environ", "mem"):
            reader = f"open('/proc/{process.pid}/{what}', 'rb').read(0)"
            done = subprocess.run([*limited(), sys.executable, "-c", reader], capture_output=True)
            assert (b"PermissionError" in done.stderr) is (how == "hide"), done.stderr
        assert how == "show" or said == "(0, 0)\nTrue\n"
    finally:
        for child in until(lambda: children(process.pid), what="its child"):
            os.kill(child, 9)
        process.communicate()


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_this_process_was_not_hidden_by_an_import() -> None:
    """Only the program `python -m proxy` hides, so that tests can look at it."""
    import proxy.__main__  # noqa: F401

    assert "NoNewPrivs:\t0" in Path("/proc/self/status").read_text()
    assert resource.getrlimit(resource.RLIMIT_CORE)[1] != 0 or os.getuid() != 0
