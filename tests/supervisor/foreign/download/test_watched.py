"""A download that does not get on is ended, and what it had half-written goes with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.foreign.download.leavings import Cached
from supervisor.foreign.download.watched import AGAIN, STALLED_AFTER, Pulse, received_bytes
from tests.client import PATIENCE
from tests.processes import ROOT, until

#: Runs `work` for a repository in the folder that is its argument.
_PROGRAM = """
import os, sys, time
from pathlib import Path
from supervisor.foreign.download import watched
from supervisor.foreign.download.leavings import Cached

watched.STALLED_AFTER, watched._LOOK_EVERY = {stalled}, 0.05
place = Cached(Path(sys.argv[1]), "org/tiny")
place.blobs.mkdir(parents=True)
part = place.blobs / "abc.0123abcd.incomplete"

def write(name):
    number = 0
    while True:
        number += 1
        path = place.blobs / f"{{name}}{{number}}.0123abcd.incomplete"
        with path.open("wb"):
            path.unlink()

def work():
    with part.open("wb") as file:
        {work}

sys.exit(watched.run(work, [place]))
"""


def start(folder: Path, work: str, stalled: float = 3600) -> subprocess.Popen[str]:
    program = _PROGRAM.format(work=work, stalled=stalled)
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    said = process.communicate(timeout=PATIENCE)[1]
    return process.returncode, said


def part(folder: Path) -> Path:
    return Cached(folder, "org/tiny").blobs / "abc.0123abcd.incomplete"


def child(process: subprocess.Popen[str]) -> int:
    """The process that downloads."""
    return int(
        until(
            Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text, what="its child"
        ).split()[0]
    )


@pytest.mark.parametrize("code", [0, 1, 7])
def test_its_code_is_the_childs(tmp_path: Path, code: int) -> None:
    assert end(start(tmp_path, f"return {code}")) == (code, "")


def test_a_fault_is_one_sentence(tmp_path: Path) -> None:
    code, said = end(start(tmp_path, "raise ValueError('a b')"))
    assert (code, said) == (
        1,
        "download ahead: it ended with ValueError: a b. The engine goes on by itself\n",
    )


def test_one_that_does_not_get_on_is_ended(tmp_path: Path) -> None:
    code, said = end(start(tmp_path, "time.sleep(3600)", stalled=5))
    assert code == AGAIN
    begin = (
        "download ahead: it made no progress for 5 s and was ended, 1 half-written file(s) removed"
    )
    assert said == f"{begin}. The engine goes on by itself\n"
    assert not part(tmp_path).exists()


def test_one_that_gets_on_is_not(tmp_path: Path) -> None:
    work = "[(time.sleep(0.2), file.write(b'x'), file.flush()) for _ in range(20)]; return 0"
    assert end(start(tmp_path, work, stalled=2)) == (0, "")
    assert part(tmp_path).exists()


def test_one_that_is_killed_leaves_nothing_half_written(tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(3600)")
    until(part(tmp_path).exists, what="the part of a file")
    pid = child(process)
    # It looks each time that it has slept.
    sleeps = slept(process.pid)
    until(lambda: slept(process.pid) > sleeps + 2, what="a look at the child")
    os.kill(pid, signal.SIGKILL)
    code, said = end(process)
    assert code == 1
    assert "it was killed by signal 9, 1 half-written file(s) removed." in said
    assert not part(tmp_path).exists()


def slept(pid: int) -> int:
    """How often a process has gone to sleep."""
    status = Path(f"/proc/{pid}/status").read_text()
    row = next(row for row in status.splitlines() if row.startswith("voluntary"))
    return int(row.split()[1])


def test_a_stop_ends_it_at_once_and_clears_up(tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(3600)")
    until(part(tmp_path).exists, what="the part of a file")
    pid = child(process)
    process.send_signal(signal.SIGTERM)
    assert end(process) == (1, "")
    assert not part(tmp_path).exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_part_that_is_begun_just_then_goes_too(tmp_path: Path) -> None:
    """The client writes several files at once, by threads."""
    begin = (
        "[__import__('threading').Thread(target=write, args=(one,)).start() for one in 'abcdefgh']"
    )
    process = start(tmp_path, f"{begin}; time.sleep(3600)")
    until(part(tmp_path).exists, what="the part of a file")
    until(lambda: len(list(part(tmp_path).parent.iterdir())) > 1, what="other parts", pause=0)
    process.send_signal(signal.SIGTERM)
    assert end(process) == (1, "")
    assert list(part(tmp_path).parent.iterdir()) == []


class Machine:
    """A clock, and what was received."""

    def __init__(self) -> None:
        self.now, self.bytes = 100.0, 5_000_000

    def clock(self) -> float:
        return self.now

    def received(self) -> int:
        return self.bytes


def test_what_arrives_counts_as_what_is_written(tmp_path: Path) -> None:
    machine, place = Machine(), Cached(tmp_path, "org/tiny")
    place.blobs.mkdir(parents=True)
    pulse = Pulse([place], machine.clock, machine.received)
    machine.now += 9
    machine.bytes += 1_999_999  # as little as that arrives without a download
    assert pulse.stalled_for() == 9
    machine.bytes += 1
    assert pulse.stalled_for() == 0
    machine.now += 5
    assert pulse.stalled_for() == 5
    (place.blobs / "abc.incomplete").write_bytes(b"x")
    assert pulse.stalled_for() == 0


def test_what_others_receive_counts_for_some_minutes_only(tmp_path: Path) -> None:
    """As on a machine whose network this container shares."""
    machine, place = Machine(), Cached(tmp_path, "org/tiny")
    place.blobs.mkdir(parents=True)
    pulse = Pulse([place], machine.clock, machine.received)

    def until_stalled() -> float:
        began = machine.now
        while pulse.stalled_for() < STALLED_AFTER:
            machine.now += 1
            machine.bytes += 36_000
        return machine.now - began

    assert 240 <= until_stalled() <= 300
    (place.blobs / "abc.incomplete").write_bytes(b"x")
    assert pulse.stalled_for() == 0
    assert 240 <= until_stalled() <= 300


def test_a_freeze_is_no_stall(tmp_path: Path) -> None:
    """Platforms freeze idle workers; then nothing gets on, and nobody looks."""
    machine = Machine()
    pulse = Pulse([Cached(tmp_path, "org/tiny")], machine.clock, machine.received)
    machine.now += 7
    assert pulse.stalled_for() == 7
    machine.now += 3600
    assert pulse.stalled_for() == 7
    machine.now += 2
    assert pulse.stalled_for() == 9


def test_the_loopback_is_not_the_network(tmp_path: Path) -> None:
    table = tmp_path / "dev"
    rows = ["Inter-|   Receive", " face |bytes", "    lo: 700 1 0", "  eth0: 20 1 0", " eth1:3 1"]
    table.write_text("\n".join(rows))
    assert received_bytes(table) == 23
    assert received_bytes(tmp_path / "none") == 0
