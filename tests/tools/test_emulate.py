"""The endpoint and the worker end together, the worker first."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client import PATIENCE
from tests.processes import until
from tools import emulate
from tools.errors import SetupError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
# Two stand-ins that write into a file when they are asked to end.
ENDS = """
import signal, sys, time
def end(*_):
    open(sys.argv[1], "a").write(sys.argv[2] + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1], "a").write("up ")
time.sleep(60)
"""
BOTH = """
import os, sys
from tools import emulate
ends = open(sys.argv[1]).read()
def stand_in(name):
    return [sys.executable, "-c", ends, sys.argv[2], name]
sys.exit(emulate.together(stand_in("endpoint"), stand_in("worker"), os.environ, os.environ))
"""


def test_variables_keep_what_follows_the_first_equals_sign() -> None:
    assert emulate.variables("A=1\nURL=http://h/?a=b\n\n") == {"A": "1", "URL": "http://h/?a=b"}


def test_the_workers_exit_code_is_returned() -> None:
    worker = [sys.executable, "-c", "raise SystemExit(78)"]
    assert emulate.together(SLEEP, worker, os.environ, os.environ) == 78


def test_a_dead_endpoint_ends_the_worker() -> None:
    endpoint = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(SetupError, match="exit code 3"):
        emulate.together(endpoint, SLEEP, os.environ, os.environ)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_worker_and_then_the_endpoint(tmp_path: Path, number: int) -> None:
    ends, record = tmp_path / "ends.py", tmp_path / "record"
    ends.write_text(ENDS, encoding="utf-8")
    record.touch()
    command = [sys.executable, "-c", BOTH, str(ends), str(record)]
    checkout = Path(emulate.__file__).parent.parent
    with subprocess.Popen(command, cwd=checkout) as running:
        until(lambda: record.read_text().count("up") == 2, what="both of them")
        running.send_signal(number)
        assert running.wait(PATIENCE) == 0
    assert record.read_text().split()[2:] == ["worker", "endpoint"]


@pytest.fixture(autouse=True)
def handlers() -> object:
    """Give the test process its own signal handlers back."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
