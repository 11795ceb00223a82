"""Finds the file that a command starts."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .errors import CommandNotExecutable, CommandNotFound
from .files import is_file


def executable(command: Sequence[str], search_path: str | None) -> str:
    """The file that `command` starts.

    Raises:
        CommandNotFound: there is no such file.
        CommandNotExecutable: there is, and it is not executable.
    """
    name = command[0] if command else ""
    if found := _which(name, search_path):
        return os.path.abspath(found)  # noqa: PTH100 - resolving links would leave a virtual env
    if name and os.sep in name and is_file(name):
        raise CommandNotExecutable(
            f"VLLM_COMMAND={name} is not executable; chmod +x it or name another command"
        )
    raise CommandNotFound(
        f"the engine's command {name!r} was not found; install vLLM or set VLLM_COMMAND to its path"
    )


def _which(name: str, search_path: str | None) -> str | None:
    """As `shutil.which`, whose import brings three libraries of compression to each start."""
    folders = [""] if os.sep in name else (search_path or os.defpath).split(os.pathsep)
    files = (os.path.join(folder or os.curdir, name) for folder in folders)  # noqa: PTH118 - `./x` stays
    return next((file for file in files if _is_executable(file)), None) if name else None


def _is_executable(file: str) -> bool:
    return os.path.isfile(file) and os.access(file, os.X_OK)  # noqa: PTH113 - no error for a locked folder
