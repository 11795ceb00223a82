"""The proxy's end of the report pipe: tells the supervisor of each job; `journal` has the format.

The supervisor keeps the jobs in hand. If this proxy is killed, the next one inherits those that are
left. Without a supervisor nothing is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .figures import Figures

_EVERY = 1.0  # seconds between two reports of the figures


@dataclass(frozen=True, slots=True)
class Inherited:
    """A job that the previous proxy had in hand.

    `job` is None where its answer had begun, or where it was too large to be kept or is damaged: it
    cannot be run again.
    """

    id: str
    job: dict[str, Any] | None


class Report:
    """Writes reports into the pipe `fd`; None without a supervisor."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self._transport: asyncio.WriteTransport | None = None

    async def open(self) -> None:
        """Let no report wait for the supervisor from here on. Call it inside the event loop."""
        if self._fd is None:
            return
        loop = asyncio.get_running_loop()
        # uvloop closes the descriptor, and then the file: by then the number may be another's.
        asyncios = isinstance(loop, asyncio.BaseEventLoop)
        pipe = os.fdopen(self._fd, "wb", buffering=0, closefd=asyncios)
        self._transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, pipe)

    def close(self) -> None:
        """Say nothing any more. What waits for the supervisor still goes out while a loop runs."""
        if self._transport is not None:
            self._transport.close()
        elif self._fd is not None:
            os.close(self._fd)
        self._transport = self._fd = None

    def taken(self, job: Mapping[str, Any]) -> None:
        """A job is in hand."""
        self._say(f"+{job['id']} {json.dumps(job)}\n")

    def begun(self, job: str) -> None:
        """Something of a job's answer goes to the platform: nobody may run the job again."""
        self._say(f"*{job}\n")

    def ended(self, job: str) -> None:
        """A job has ended, and the platform knows how."""
        self._say(f"-{job}\n")

    def alone(self, job: str | None) -> None:
        """A job that may have ended engines is alone in the engine, without output; None: not now.

        An end of the engine that comes meanwhile is put down to that job. Of one that ended the
        engine, say None no sooner than something else begins.
        """
        self._say(f"~{job or ''}\n")

    def figures(self, figures: Figures) -> None:
        """The figures as they are now."""
        self._say(f"={json.dumps(figures.as_json())}\n")

    async def repeat(self, figures: Figures) -> None:
        """Report the figures once a second, until cancelled."""
        while True:
            self.figures(figures)
            await asyncio.sleep(_EVERY)

    def cause(self, text: str) -> None:
        """Why this process is about to end."""
        self._say(f"!{' '.join(text.split())}\n")

    def _say(self, line: str) -> None:
        if self._transport is not None:
            self._transport.write(line.encode())
        elif self._fd is not None:
            with contextlib.suppress(OSError):
                os.write(self._fd, line.encode())


def inherited(fd: int | None) -> Iterator[Inherited]:
    """The jobs that the previous proxy left, from the file `fd`; none without a supervisor."""
    if fd is None:
        return
    with os.fdopen(fd, "rb") as file:
        for line in file:
            name, _, body = line[1:].rstrip(b"\n").partition(b" ")
            yield Inherited(name.decode(), _job(body) if line.startswith(b"+") else None)


def _job(body: bytes) -> dict[str, Any] | None:
    """The job; None where its report was damaged, so that it cannot be run."""
    try:
        job = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return job if isinstance(job, dict) else None
