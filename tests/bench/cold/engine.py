"""The stand-in engine as a command that lies where an engine's would."""

from __future__ import annotations

from pathlib import Path

from tests.processes import FAKE


def vllm(folder: Path) -> Path:
    """A program in `folder` that is the stand-in engine."""
    command = folder / "vllm"
    command.write_text(f'#!/bin/sh\nexec {FAKE} "$@"\n')
    command.chmod(0o755)
    return command
