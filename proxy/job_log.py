"""One job as one line of the log; what it asked and was answered only on demand."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy import excerpt
from proxy.stream import sse
from proxy.traces.trace import UNTRACED, Trace
from supervisor.secrets import masked

_LONGEST = 20_000  # characters of a question or an answer in the log
_LONGEST_NAME = 200  # characters of an id or a route
_LONGEST_REASON = 300  # characters of an error: it may quote what the caller sent
_OURS = 500  # from this status on a failure is none of the caller's

#: What ends a line, moves a terminal's cursor, or is no character at all.
_UNPRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_encoder = json.JSONEncoder(ensure_ascii=False, default=repr)


@dataclass(slots=True)
class Record:
    """What is known of one job so far.

    `clock` gives seconds and never goes back. `trace` hears of it. `status` is an HTTP status, None
    of a job that was cancelled; `kind` and `reason` are of its error. `ended` is how the job ends,
    as `Figures` name it, as soon as that is certain. `waited` is when it was first sent to an
    engine that was there, and `first` when the first output came, both in seconds since the job was
    taken; `answered` is whether the last one has been handed over. With `keep` the record has what
    was asked and answered, for `content`.
    """

    job: str
    clock: Callable[[], float]
    trace: Trace = UNTRACED
    keep: bool = False
    route: str = "-"
    streams: bool = False
    status: int | None = 200
    kind: str = ""
    reason: str = ""
    ended: str | None = None
    answered: bool = False
    tokens: int | None = None
    waited: float | None = None
    first: float | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    started: float = field(init=False)
    _waited_as: int = 0  # the number of that sending
    _answered: list[str] = field(default_factory=list)  # texts, up to the longest
    _kept: int = 0  # characters in them
    _counted: int = 0  # tokens of a stream
    _total: int | None = None  # the same, by the engine's own count at its end
    _first_tokens: int = 0  # of them in the first output
    _last: float = 0.0  # as `first`, of the last output

    def __post_init__(self) -> None:
        self.started = self.clock()
        self.job = excerpt.text(self.job)

    @property
    def age(self) -> float:
        """Seconds since the job was taken."""
        return self.clock() - self.started

    @property
    def per_token(self) -> float | None:
        """Seconds from one token of a stream to the next, on average; None where none followed."""
        following = (self.tokens or 0) - self._first_tokens
        if not self.streams or self.first is None or following < 1:
            return None
        return (self._last - self.first) / following

    def streamed(self, counted: int, events: Sequence[bytes]) -> int:
        """Note what has come of a stream: `counted` tokens so far, in `events` the last of them.

        The engine's own count wins, which comes with the usage at the end. Without it nobody knows
        how many tokens a beam search made: it sends each sequence in one event.

        Returns:
            How many tokens are new.
        """
        self._total = sse.total(events) if self._total is None else self._total
        before = self._counted
        self._counted = counted if self._total is None else self._total
        unknown = self._total is None and self.asked.get("use_beam_search") is True
        self.tokens = None if unknown else self._counted
        return self._counted - before

    def sending(self, number: int) -> None:
        """Note that it is about to be sent for the so manieth time."""
        self.trace.sending(number)
        if self.waited is None:
            self.waited, self._waited_as = self.age, number

    def unsent(self, number: int) -> None:
        """Note that no engine was there to take it this time."""
        self.trace.unsent()
        if number == self._waited_as:
            self.waited = None

    def fails(self, status: int | None, kind: str, reason: str = "") -> None:
        """Note how it fails; `status` is None where it is cancelled."""
        self.status, self.kind, self.reason = status, kind, reason
        if status is None:
            self.trace.cancelled()
        else:
            self.trace.failed(status, kind)

    def yielded(self, output: Any) -> None:
        """Note an output that is on its way."""
        self._last = self.age
        if self.first is None:
            self.first, self._first_tokens = self._last, self._counted
            self.trace.first()
        if self.keep and self._kept < _LONGEST:
            text = output if isinstance(output, str) else _json(output)
            self._answered.append(text[: _LONGEST - self._kept])
            self._kept += len(self._answered[-1])

    def content(self) -> str:
        """What was asked and answered, in one line, both cut off somewhere."""
        asked, answered = _json(self.asked), "".join(self._answered)
        job = _line(self.job, _LONGEST_NAME)
        return f"job {job} asked {_line(asked)} and was answered {_line(answered)}"

    @property
    def level(self) -> int:
        """Of its line, as `logging` has it: a warning where it failed, and not by its caller."""
        return logging.INFO if self.status is None or self.status < _OURS else logging.WARNING

    def line(self) -> tuple[str, dict[str, Any]]:
        """The line of the log, and the same as fields (`supervisor.link.log_lines`)."""
        seconds = self.age
        job, route, kind = (_line(x, _LONGEST_NAME) for x in (self.job, self.route, self.kind))
        status = "" if self.status is None else str(self.status)
        parts = [f"job {job}: {route} {' '.join(filter(None, (status, kind)))}"]
        if self.tokens is not None:
            parts.append(f"{self.tokens} tokens")
        if self.first is not None:
            parts.append(f"first after {self.first:.3f} s")
        parts.append(f"{seconds:.3f} s in all")
        told = ", ".join(parts)
        if self.reason:
            # Masked before it is cut: half a secret is not known for one.
            reason = masked("", " ".join(self.reason.split()))
            told += f": {_line(reason, _LONGEST_REASON)}"
        fields = {
            "job": job,
            "route": route,
            "status": self.status,
            "error_kind": kind or None,
            "tokens": self.tokens,
            "wait_s": _rounded(self.waited),
            "first_token_s": _rounded(self.first),
            "seconds": _rounded(seconds),
        }
        return told, fields


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _json(value: Any) -> str:
    """JSON as far as the log takes it: a large value is not written to its end, nor is a deep one.

    What is no JSON is shown as Python shows it. Nothing is raised: a line of the log fails no job.
    """
    if isinstance(value, bytes):  # JSON already
        return value[: 4 * _LONGEST].decode(errors="replace")
    parts: list[str] = []
    length = 0
    try:
        for part in _encoder.iterencode(value):
            parts.append(part)
            length += len(part)
            if length > _LONGEST:
                break
    except (ValueError, TypeError, RecursionError) as reason:
        parts.append(f"... ({type(reason).__name__})")
    return "".join(parts)


def _line(text: str, most: int = _LONGEST) -> str:
    """`text` within one line that any log takes, cut off at `most` characters."""
    shown = _UNPRINTED.sub(lambda found: _escaped(found[0]), text[:most])
    whole = len(text) <= most and len(shown) <= most
    return shown if whole else f"{shown[:most]}..."


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
