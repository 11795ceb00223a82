"""The command: a download alone, or one that then becomes the engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import ahead
from .faults import DownloadError, of_the_disk
from .progress import line, say
from .record import Record
from .transfer import TRIES, Asked, tried

_NOT_EXECUTABLE = 126  # as a shell says it


def main(arguments: Sequence[str]) -> int:
    """Download, and become the command behind `--` if there is one.

    Args:
        arguments: repository, revision (may be empty), folder, sub-folder (may be empty), kind;
            then, for a download that becomes the engine, `--` and the engine's command. Or
            `--ahead`, and what `ahead` takes.

    Returns:
        0, or 1. Alone it prints JSON as its last line: `{"commit", "files", "bytes"}` or
        `{"error", "again"}`.
    """
    if arguments[0] == "--ahead":
        return ahead.main(arguments[1:])
    repository, revision, folder, subfolder, kind, *rest = arguments
    asked = Asked(repository, revision or None, Path(folder), subfolder, kind)
    return _then_run(asked, rest[1:]) if rest else _alone(asked)


def _alone(asked: Asked) -> int:
    try:
        say(tried(asked, TRIES))
    except DownloadError as reason:
        say({"error": str(reason), "again": reason.again})
        return 1
    return 0


def _then_run(asked: Asked, command: Sequence[str]) -> int:
    """Download, then become `command`; else a code, and the last line says why."""
    try:
        _fetch(asked)
    except DownloadError as reason:
        _say_why(reason)
        return 1
    except OSError as reason:
        _say_why(of_the_disk(reason, asked.repository, asked.folder))
        return 1
    sys.stdout.flush()
    try:
        os.execvp(command[0], list(command))
    except OSError as reason:
        line(f"Error: {command[0]} cannot be run: {reason.strerror}; make the command executable")
        return _NOT_EXECUTABLE


def _say_why(reason: DownloadError) -> None:
    what = "is not downloaded yet" if reason.again else "could not be downloaded"
    line(f"the model {what}: {reason}")


def _fetch(asked: Asked) -> None:
    """Have the model in its folder, whole. Without the hub, what is there will do if it is that.

    Raises:
        DownloadError: with the cause and the remedy.
        OSError: the folder cannot be written.
    """
    name = f"{asked.repository}/{asked.subfolder}".rstrip("/")
    record = Record(asked.folder, asked.subfolder)
    if _is_set("HF_HUB_OFFLINE"):
        if record.commit is None:
            message = f"HF_HUB_OFFLINE is set, and {name} is not in {asked.folder}; unset it"
            raise DownloadError(message)
        return
    line(f"downloading {name}")
    try:
        done = tried(asked, TRIES if record.commit is None else 1, record.begin)
    except DownloadError as reason:
        if not reason.again or record.commit is None:
            raise
        line(f"{reason}. Serving what is there, of commit {record.commit}")
        return
    record.end(done)
    line(f"downloaded {name}, commit {done['commit']}")


def _is_set(variable: str) -> bool:
    """As the hub's client reads it."""
    return os.environ.get(variable, "").strip().upper() in {"1", "ON", "YES", "TRUE"}
