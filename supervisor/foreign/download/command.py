"""The command: a download alone, or one that then becomes the engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .faults import DownloadError
from .progress import line, say
from .record import Record
from .transfer import TRIES, Asked, tried


def main(arguments: Sequence[str]) -> int:
    """Download, and become the command behind `--` if there is one.

    Args:
        arguments: repository, revision (may be empty), folder, sub-folder (may be empty), kind;
            then, for a download that becomes the engine, `--` and the engine's command.

    Returns:
        0, or 1. Alone it prints JSON as its last line: `{"commit", "files", "bytes"}` or
        `{"error", "again"}`.
    """
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
    """Download, then become `command`; 1 where there is no model, and the last line says why."""
    try:
        _fetch(asked)
        sys.stdout.flush()
        os.execvp(command[0], list(command))
    except DownloadError as reason:
        what = "is not downloaded yet" if reason.again else "could not be downloaded"
        line(f"the model {what}: {reason}")
    except OSError as reason:
        line(
            f"the model could not be downloaded: {reason.filename or asked.folder}:"
            f" {reason.strerror}; make the folder writable and the command executable"
        )
    return 1


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
