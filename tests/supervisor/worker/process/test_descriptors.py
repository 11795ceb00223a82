"""Limits of a process, set by the kernel for one of its own."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys

import pytest

from supervisor.errors import MachineRefused
from supervisor.worker.process import descriptors
from supervisor.worker.process.descriptors import RAISED_TO, RESERVED
from tests.processes import ROOT

LIMITED = """
import resource
from supervisor.worker.process import descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
descriptors.raise_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE), descriptors.spared(1000))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "spared"),
    [
        (100, 4096, 4096, 1000),
        (1024, 1024, 1024, 1024 - RESERVED),
        (256, 256, 256, 16),
        (64, 64, 64, 16),
    ],
)
def test_the_soft_limit_is_raised_and_a_reserve_is_kept(
    soft: int, hard: int, raised: int, spared: int
) -> None:
    program = LIMITED.format(soft=soft, hard=hard)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(raised), str(hard), str(spared)]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((1024, 1_048_576), (RAISED_TO, 1_048_576)),
        ((1024, -1), (RAISED_TO, -1)),
        ((1024, 20_000), (20_000, 20_000)),
        ((1_048_576, 1_048_576), None),
        ((-1, -1), None),
    ],
)
def test_never_beyond_what_programs_are_used_to_and_never_lower(
    given: tuple[int, int], wanted: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No limit of this machine is so high in every place where the tests run."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: given)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: found.append(limits))
    descriptors.raise_limit()
    assert found == ([] if wanted is None else [wanted])


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_want_is_seen_through_what_others_made_of_it(number: int) -> None:
    fault = RuntimeError()
    fault.__cause__ = OSError(number, "")
    assert descriptors.lacking(fault)
    assert not descriptors.lacking(ConnectionRefusedError(errno.ECONNREFUSED, ""))
    assert not descriptors.lacking(None)


@pytest.mark.parametrize(("soft", "refused"), [(63, True), (64, False), (-1, False)])
def test_a_limit_with_which_nothing_could_be_started_is_refused(
    soft: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    if not refused:
        descriptors.check()
        return
    with pytest.raises(MachineRefused, match="only 63 files open; at least 64 are required: raise"):
        descriptors.check()
