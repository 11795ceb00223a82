"""The endpoint and the worker end together, the worker first."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client import PATIENCE
from tests.processes import free_port, until
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


def test_the_port_is_the_users_or_9000() -> None:
    number = free_port()
    assert emulate.free_port({"PORT": str(number)}) == number


def test_a_port_that_cannot_be_had_is_one_sentence_with_one_that_can() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(SetupError) as refused:
            emulate.free_port({"PORT": str(number)})
        assert str(refused.value).startswith(f"Port {number} is taken by process")
        other = int(str(refused.value).rpartition("=")[2].strip("`."))
        assert emulate.free_port({"PORT": str(other)}) == other


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"PORT": "x"}, "PORT=x is not a port number from 1 to 65535: say `make emulate PORT="),
        ({"PORT": "8001"}, "Port 8001 is the worker's (PORT_HEALTH): choose another, as in `make"),
        ({"PORT": "8000"}, "Port 8000 is the worker's (VLLM_PORT): choose"),
        ({"PORT": "71", "PORT_HEALTH": "71"}, "Port 71 is the worker's (PORT_HEALTH): choose"),
    ],
)
def test_a_port_that_is_the_workers_is_refused(env: dict[str, str], sentence: str) -> None:
    with pytest.raises(SetupError) as refused:
        emulate.free_port(env)
    assert str(refused.value).startswith(sentence)


def test_a_taken_port_is_said_before_anything_is_made(tmp_path: Path) -> None:
    """As the first and only line: to install what is missing would take minutes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        done = subprocess.run(
            ["make", "--no-print-directory", "emulate", f"PORT={number}"],
            cwd=Path(emulate.__file__).parent.parent,
            env={
                "PATH": os.environ["PATH"],
                "PYTHON": sys.executable,
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: Port {number} is taken by ")
    assert not (tmp_path / "cache").exists()


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
