"""The supervisor's end of the report pipe: which jobs a proxy has in hand, and its figures.

The proxy (`report`) writes a line for each report. Its first character says what it is::

    +ID {"id": ID, "input": ...}   a job was taken; the JSON is all of it
    *ID                            something of its answer has gone to the platform
    -ID                            it has ended: answered, failed or cancelled
    ~ID                            it may have ended engines; alone in this one, without output
    ~                              no such job is alone there any more
    ={"jobs": 3, ...}              figures, once a second; see `figures`
    !TEXT                          why the proxy is about to end

The jobs are kept here because a proxy may be killed: the next one inherits those that are left.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .figures import Figures

log = logging.getLogger("supervisor")

_PIECE = 1 << 20  # bytes in one read
#: Bytes of jobs that are kept. Of a job beyond that only the id is kept, so that it cannot be run
#: again; the platform is told that it failed.
KEPT_MOST = 256 * 1024 * 1024
#: Seconds for which a job that was alone in the engine still counts as alone there: the proxy can
#: hear of the engine's end, and say that its job is over, before the engine is seen to have ended.
_ALONE_LATELY = 5.0


@dataclass(slots=True)
class _Alone:
    job: str
    until: float | None = None  # on the journal's clock; None: it still is


@dataclass(slots=True)
class _InHand:
    line: bytes | None  # the job as JSON; None: too much to keep
    begun: bool = False


@dataclass(slots=True)
class Journal:
    """The jobs in hand, the figures of all proxies so far, and what the present proxy says.

    `cause` is why it is about to end. `works` tells that its checks are done and that it hears
    signals. `clock` gives seconds and never goes back.
    """

    cause: str | None = None
    works: bool = False
    _jobs: dict[str, _InHand] = field(default_factory=dict)
    _kept: int = 0
    _taken: int = 0
    _before: Figures = field(default_factory=Figures)  # of proxies that have ended
    _now: Figures = field(default_factory=Figures)
    _rest: list[bytes] = field(default_factory=list)
    _alone: _Alone | None = None
    clock: Callable[[], float] = time.monotonic

    @property
    def suspect(self) -> str | None:
        """The job that was alone in the engine and may have ended others; None: there was none.

        One that has given output since then did not end it.
        """
        alone = self._alone
        if alone is None or (alone.until is not None and self.clock() > alone.until):
            return None
        return alone.job

    @property
    def figures(self) -> Figures:
        """The totals of every proxy so far; jobs taken and in hand as they are known here."""
        figures = self._before.plus(self._now)
        return replace(figures, jobs=len(self._jobs), taken=self._taken)

    @property
    def taken(self) -> int:
        """How many jobs every proxy so far took."""
        return self._taken

    @property
    def in_hand(self) -> int:
        """How many jobs are known here to be in hand."""
        return len(self._jobs)

    def feed(self, data: bytes) -> None:
        """Take bytes from the pipe; a line may come in pieces. One that is no report is dropped."""
        *complete, rest = data.split(b"\n")
        if complete:
            complete[0] = b"".join((*self._rest, complete[0]))
            self._rest.clear()
        if rest:
            self._rest.append(rest)
        for line in complete:
            try:
                self._line(line)
            except (ValueError, TypeError, RecursionError):
                # Not as it is: it may hold what a caller sent.
                words = "a line of the proxy's that is no report is dropped: %d bytes, from %r on"
                log.warning(words, len(line), line[:1])

    def _line(self, line: bytes) -> None:
        kind, said = line[:1], line[1:]
        if kind == b"+":
            key, _, body = said.partition(b" ")
            if not (key and body.startswith(b"{") and body.endswith(b"}")):
                raise ValueError("no job")
            self._forget(key.decode())
            fits = self._kept + len(body) <= KEPT_MOST
            self._kept += len(body) if fits else 0
            self._jobs[key.decode()] = _InHand(body if fits else None)
            self._taken += 1
        elif kind == b"*":
            name = said.decode()
            if (job := self._jobs.get(name)) is not None:
                job.begun = True
            if self._alone is not None and self._alone.job == name:
                self._alone = None
        elif kind == b"-":
            self._forget(said.decode())
        elif kind == b"~":
            if said:
                self._alone = _Alone(said.decode())
            elif self._alone is not None and self._alone.until is None:
                self._alone.until = self.clock() + _ALONE_LATELY
        elif kind == b"=":
            self._now = Figures.read(json.loads(said))
            self.works = True
        elif kind == b"!":
            self.cause = said.decode(errors="replace")
        else:
            raise ValueError("no kind of report")

    def _forget(self, name: str) -> None:
        if (ended := self._jobs.pop(name, None)) is not None:
            self._kept -= len(ended.line or b"")

    def proxy_ended(self) -> None:
        """Forget what it said of itself, and half a line; keep its jobs and its totals."""
        self._rest.clear()
        self._before = replace(self._before.plus(self._now), jobs=0)
        self._now = Figures()
        self.cause = None
        self.works = False
        self._alone = None

    def left(self) -> bytes:
        """The jobs in hand, a line for each: `+ID JSON` to be run, `*ID` to be ended as failed."""
        lines = [
            b"*" + name.encode()
            if job.begun or job.line is None
            else b"+" + name.encode() + b" " + job.line
            for name, job in self._jobs.items()
        ]
        return b"".join(line + b"\n" for line in lines)


def read_some(fd: int, journal: Journal) -> bool:
    """Feed `journal` what is in the pipe, up to a megabyte.

    Args:
        fd: the reading end; it does not block.
        journal: is fed.

    Returns:
        Whether more may come; False once nobody holds the writing end any more.
    """
    try:
        data = os.read(fd, _PIECE)
    except BlockingIOError:
        return True
    journal.feed(data)
    return bool(data)
