"""Our end of the guardian: the process that kills our groups where we end without doing so."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from ...foreign import guardian


class Guardian:
    """Starts the guardian and tells it which groups are alive; see `foreign.guardian`.

    `pid` is its own.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(guardian.__file__)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={},
        )
        self.pid = self._process.pid

    def add(self, group: int) -> None:
        """Kill this group when we are gone."""
        self._say(f"+{group}\n")

    def remove(self, group: int) -> None:
        """This group is gone; its number may be used again by somebody else."""
        self._say(f"-{group}\n")

    def close(self) -> None:
        """End it: what it still knows is killed."""
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(OSError):
                stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        stdin = self._process.stdin
        if stdin is not None:
            # Without its guardian the worker still works; only the protection is lost. ValueError:
            # it was closed, and a process ends for which nobody has waited.
            with contextlib.suppress(OSError, ValueError):
                stdin.write(line.encode())
                stdin.flush()
