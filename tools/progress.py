"""Runs long commands under a display: a live line on a terminal, a line now and then elsewhere.

All of it goes to stderr, so that stdout is free for what a caller reads.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

_EVERY_TERMINAL = 0.2  # seconds between two drawings
_EVERY_PLAIN = 10.0  # seconds between two lines where nobody watches
_SHOWN_AT_FAILURE = 30  # lines

#: Lines of pip that say what it is at: "Downloading torch-2.13.0 ... (198.1 MB)".
_TELLING = re.compile(r"^\s*(Collecting|Downloading|Using cached|Installing|Processing)\s+(.*)")


class StepFailedError(Exception):
    """A command failed: one sentence."""


def run(title: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
    """Run `command`, its output going to `log`, with `title` and the time on display.

    Raises:
        StepFailedError: it ended with another code than 0; the last lines have been printed.
    """
    started = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, text=True
    )
    last: deque[str] = deque(maxlen=_SHOWN_AT_FAILURE)
    reader = threading.Thread(target=_read, args=(process, log, last), daemon=True)
    reader.start()
    try:
        _show(title, process, last, started)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    reader.join()
    took = f"{time.monotonic() - started:.0f} s"
    if process.returncode == 0:
        _line(f"{title}: done in {took}")
        return
    _line(f"{title}: failed after {took}")
    print("".join(last), file=sys.stderr)
    raise StepFailedError(_reason("".join(last), log))


def _read(process: subprocess.Popen[str], log: Path, last: deque[str]) -> None:
    output = process.stdout
    if output is None:
        return
    with log.open("a", encoding="utf-8") as file:
        for line in output:
            file.write(line)
            if "is ignored: it is neither a file nor a directory" not in line:
                last.append(line)


def _show(
    title: str, process: subprocess.Popen[str], last: Sequence[str], started: float
) -> None:
    terminal = sys.stderr.isatty()
    if not terminal:
        _line(f"{title} ...")
    due = time.monotonic() + (_EVERY_TERMINAL if terminal else _EVERY_PLAIN)
    while process.poll() is None:
        time.sleep(0.05)
        if time.monotonic() < due:
            continue
        due = time.monotonic() + (_EVERY_TERMINAL if terminal else _EVERY_PLAIN)
        text = f"{title}: {time.monotonic() - started:.0f} s {_at(last)}"
        if terminal:
            width = os.get_terminal_size(2).columns - 1
            print(f"\r\033[K{text[:width]}", end="", flush=True, file=sys.stderr)
        else:
            _line(text)


def _at(last: Sequence[str]) -> str:
    for line in reversed(list(last)):
        if found := _TELLING.match(line):
            return f"{found[1].lower()} {found[2][:60]}"
    return ""


def _line(text: str) -> None:
    print(f"\r\033[K{text}" if sys.stderr.isatty() else text, flush=True, file=sys.stderr)


def _reason(output: str, log: Path) -> str:
    if "No space left on device" in output:
        return "the disk is full: free some space and run the command again"
    if re.search(r"NewConnectionError|Name or service not known|ConnectionError|timed out", output):
        return "the package index cannot be reached: check the network and run the command again"
    return f"the step failed; everything it said is in {log}"
