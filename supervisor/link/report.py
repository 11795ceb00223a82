"""The proxy's end of the report pipe: tells the supervisor of each job; `journal` has the format.

The supervisor keeps the jobs in hand, and hands what is left to the next proxy if this one is
killed. Without a supervisor nothing is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .figures import Figures

EVERY = 1.0  # seconds between two reports of the figures


@dataclass(frozen=True, slots=True)
class Left:
    """A job that the proxy before this one had in hand. `job` is None where its answer had begun,
    or was too large to keep: it can only be told of.
    """

    id: str
    job: dict[str, Any] | None


class Report:
    """The writing end. `fd` is None without a supervisor."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._transport: asyncio.WriteTransport | None = None

    async def open(self) -> None:
        """From here on nothing waits for the supervisor. Inside the event loop."""
        if self._fd is None:
            return
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(self._fd, "wb", buffering=0)
        self._transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, pipe)

    def taken(self, job: Mapping[str, Any]) -> None:
        """A job is in hand."""
        self._say(f"+{job['id']} {json.dumps(job)}\n")

    def begun(self, job: str) -> None:
        """Something of its answer is on its way to the platform."""
        self._say(f"*{job}\n")

    def ended(self, job: str) -> None:
        """The platform knows how it ended."""
        self._say(f"-{job}\n")

    def figures(self, figures: Figures) -> None:
        """All figures."""
        self._say(f"={json.dumps(asdict(figures))}\n")

    def cause(self, text: str) -> None:
        """Why this process is about to end."""
        self._say(f"!{' '.join(text.split())}\n")

    def _say(self, line: str) -> None:
        if self._transport is not None:
            self._transport.write(line.encode())
        elif self._fd is not None:
            with contextlib.suppress(OSError):
                os.write(self._fd, line.encode())


def left(fd: int | None) -> Iterator[Left]:
    """The jobs of the proxy before this one, as the supervisor hands them over."""
    if fd is None:
        return
    with os.fdopen(fd, "rb") as file:
        for line in file:
            if line.startswith(b"+"):
                job = json.loads(line[1:])
                yield Left(str(job["id"]), job)
            else:
                yield Left(line[1:].strip().decode(), None)
