"""The guardian kills the groups that it knows of, and no other."""

from __future__ import annotations

import subprocess

from supervisor.worker.process.guardian import Guardian
from tests.client import PATIENCE
from tests.processes import until


def group() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "300"], process_group=0)


def test_what_is_left_when_we_end_is_killed() -> None:
    guarded, gone, other = group(), group(), group()
    guardian = Guardian()
    guardian.add(guarded.pid)
    guardian.add(gone.pid)
    guardian.remove(gone.pid)
    guardian.close()
    assert guarded.wait(PATIENCE) == -9
    assert (gone.poll(), other.poll()) == (None, None)
    for process in (gone, other):
        process.kill()
        process.wait()


def test_its_own_death_is_no_error() -> None:
    guardian = Guardian()
    subprocess.run(["kill", "-9", str(guardian.pid)], check=True)
    until(lambda: guardian._process.poll() is not None, what="its end")
    guardian.add(1)
    guardian.close()


def test_who_ends_after_it_was_closed_is_no_error() -> None:
    """As a process for which no stop waits."""
    guardian = Guardian()
    guardian.close()
    guardian.remove(1)
    guardian.close()
