"""Commands end with the process that started them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import until
from tools import commands

STARTER = """
import sys
from pathlib import Path
from tools import commands
code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
show = lambda line: not print(line, flush=True)
commands.run([sys.executable, "-c", code], Path(sys.argv[1]), on_line=show)
"""


def test_output_goes_to_the_log_but_for_lines_that_are_not_wanted(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "log"
    code = "print('kept'); print('dropped')"
    wanted = lambda line: "dropped" not in line  # noqa: E731
    assert commands.run([sys.executable, "-c", code], log, on_line=wanted) == 0
    assert commands.tail(log, 1) == ["kept"]


def test_the_exit_code_is_the_commands(tmp_path: Path) -> None:
    assert commands.run([sys.executable, "-c", "raise SystemExit(5)"], tmp_path / "log") == 5


def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert commands.run(["no-such-command"], tmp_path / "log") == 1
    assert "No such file" in commands.tail(tmp_path / "log", 1)[0]


def test_ctrl_c_ends_the_command(tmp_path: Path) -> None:
    def interrupt(_line: str) -> bool:
        raise KeyboardInterrupt

    code = "import time; print('up', flush=True); time.sleep(60)"
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        commands.run([sys.executable, "-c", code], tmp_path / "log", on_line=interrupt)
    assert time.monotonic() - started < 50  # it would have run for 60


@pytest.mark.skipif(sys.platform != "linux", reason="the tie is Linux's")
def test_kill_9_of_the_starter_ends_the_command_too(tmp_path: Path) -> None:
    """A pip left behind would write into a folder that the next run removes."""
    command = [sys.executable, "-c", STARTER, str(tmp_path / "log")]
    checkout = Path(commands.__file__).parent.parent
    with subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        starter.kill()
    until(lambda: not running(child), what="its end")


def running(pid: int) -> bool:
    """Tell whether `pid` runs; a zombie that nobody has reaped does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
