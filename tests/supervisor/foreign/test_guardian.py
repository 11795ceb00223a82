"""The guardian kills what it was told of when its input ends, and nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from supervisor.foreign import guardian
from tests.client import PATIENCE


@pytest.fixture
def group() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own."""
    with subprocess.Popen(["sleep", "600"], process_group=0) as process:
        yield process
        process.kill()


def told(lines: str) -> None:
    subprocess.run(
        [sys.executable, "-I", "-S", guardian.__file__], input=lines, text=True, timeout=PATIENCE
    ).check_returncode()


def test_a_group_that_is_left_is_killed(group: subprocess.Popen[bytes]) -> None:
    told(f"+{group.pid}\n")
    assert group.wait(PATIENCE) == -signal.SIGKILL


def test_a_group_that_was_taken_back_is_not(group: subprocess.Popen[bytes]) -> None:
    told(f"+{group.pid}\n-{group.pid}\n")
    assert group.poll() is None


def test_a_group_that_is_gone_is_no_error(group: subprocess.Popen[bytes]) -> None:
    group.kill()
    group.wait(PATIENCE)
    told(f"+{group.pid}\n")
