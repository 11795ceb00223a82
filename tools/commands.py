"""Commands that end with us, their output in a log file and, line by line, with the caller."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TIED = Path(__file__).with_name("tied.py")


def tied(command: Sequence[str], signal_number: int = signal.SIGKILL) -> list[str]:
    """Wrap `command` so that the kernel sends it `signal_number` when this process ends."""
    return [sys.executable, "-I", str(TIED), str(os.getpid()), str(int(signal_number)), *command]


def run(
    command: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], bool] | None = None,
    cwd: Path | None = None,
) -> int:
    """Run `command` in `cwd`, append what it prints to `log`, and return its exit code.

    `on_line` sees every line and says whether the log is to have it. An exception, Ctrl-C included,
    ends the command before it goes on.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("a", encoding="utf-8") as out,
        subprocess.Popen(
            tied(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            encoding="utf-8",
            errors="replace",
        ) as child,
    ):
        out.write(f"$ {' '.join(command)}\n")
        assert child.stdout is not None  # noqa: S101  it is a pipe: says so to mypy
        try:
            for line in child.stdout:
                if on_line is None or on_line(line):
                    out.write(line)
        except BaseException:
            child.kill()
            raise
    return child.returncode


def tail(log: Path, lines: int) -> list[str]:
    """Return the last `lines` lines of `log`, none if it is not there."""
    if not log.exists():
        return []
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
