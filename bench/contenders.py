"""The workers that are measured, as a command line names them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from bench.around.processes import ROOT


@dataclass(frozen=True, slots=True)
class Contender:
    """A worker's command, and the folder in which it runs."""

    name: str
    command: list[str]
    folder: Path = ROOT


def of_command(name: str, text: str) -> Contender:
    """A contender from `COMMAND` or `FOLDER:COMMAND`.

    Args:
        name: of the contender.
        text: the command as a shell would read it; what is before its first colon is the folder
            if there is one of that name. Without it the command runs in this checkout.

    Raises:
        ValueError: there is no command in it; one sentence.
    """
    place, colon, rest = text.partition(":")
    folder = Path(place).expanduser()
    in_it = bool(colon and place) and folder.is_dir()
    command = shlex.split(rest if in_it else text)
    if not command:
        raise ValueError(f"{name[:40]!r} has no command: give COMMAND or FOLDER:COMMAND")
    return Contender(name, command, folder.resolve() if in_it else ROOT)


def of_definition(text: str) -> Contender:
    """A contender from `NAME=COMMAND` or `NAME=FOLDER:COMMAND`. Raises ValueError."""
    name, equals, command = text.partition("=")
    if not name or not equals:
        raise ValueError(f"{text[:60]!r} is no contender: give NAME=COMMAND or NAME=FOLDER:COMMAND")
    return of_command(name, command)


def of_handler_file(path: str) -> Contender:
    """The stock SDK with the handler in that file, by the file's name. Raises ValueError."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(f"there is no file {path[:200]!r}: give one that defines handler(job)")
    command = ["python", "-m", "bench.handler_file", str(file.resolve())]
    return Contender(file.stem, command)
