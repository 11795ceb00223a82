"""Finds the file that a command starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from .errors import CommandNotExecutable, CommandNotFound


def executable(command: Sequence[str], search_path: str | None) -> str:
    """The file that `command` starts.

    Raises:
        CommandNotFound: there is no such file.
        CommandNotExecutable: there is, and it is not executable.
    """
    name = command[0] if command else ""
    if found := shutil.which(name, path=search_path):
        return os.path.abspath(found)  # noqa: PTH100 - resolving links would leave a virtual env
    if name and os.sep in name and Path(name).is_file():
        raise CommandNotExecutable(
            f"VLLM_COMMAND={name} is not executable; chmod +x it or name another command"
        )
    raise CommandNotFound(
        f"the engine's command {name!r} was not found; install vLLM or set VLLM_COMMAND to its path"
    )
