"""How long a program has been running that another one became."""

from __future__ import annotations

import subprocess
import sys

from supervisor import began
from tests.processes import ROOT

#: Waits as an installation does, then becomes another program, which is told when that was.
BECOMES = """
import os, sys, time
time.sleep(0.5)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1], str(time.monotonic())])
"""
THEN = """
import sys, time
from supervisor import began
print(began.seconds_ago() <= time.monotonic() - float(sys.argv[1]))
"""


def test_what_the_process_was_before_does_not_count() -> None:
    command = [sys.executable, "-c", BECOMES, THEN]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "True\n"


def test_it_goes_on() -> None:
    before = began.seconds_ago()
    assert 0.0 < before <= began.seconds_ago() < 86400
