"""A question on the control port, and its answer as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

_JSON = "application/json; charset=utf-8"
_EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Question:
    """A request that has come as a whole.

    Attributes:
        method: GET, HEAD and so on.
        path: decoded, without its query.
        query: what is asked in it; of a name that comes twice, the first.
        host: the Host header; None: there was none, or several.
        authorization: the header of that name.
        accept: the header of that name.
        peer: the address that it came from.
        site: whose page asks, where a browser says so (Sec-Fetch-Site); else empty.
        body: what was sent behind the head.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    host: str | None = None
    authorization: bytes = b""
    accept: str = ""
    peer: str = ""
    site: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a question."""

    status: int
    body: bytes = b""
    kind: str = ""  # of the body
    headers: tuple[str, ...] = ()  # beside those that every answer has

    @classmethod
    def json(cls, body: Mapping[str, Any], status: int = 200, *headers: str) -> Answer:
        """An answer of JSON."""
        return cls(status, json.dumps(body).encode(), _JSON, headers)

    @classmethod
    def error(cls, status: int, why: str, *headers: str) -> Answer:
        """A refusal, with a sentence for whoever asked."""
        return cls.json({"error": why}, status, *headers)

    def wire(self, *, keeps: bool, bodiless: bool = False) -> bytes:
        """The answer as it is sent.

        Args:
            keeps: the connection stays open.
            bodiless: it answers HEAD.
        """
        lines = list(self.headers)
        if self.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(self.body)}")
        if self.kind:
            lines.append(f"Content-Type: {self.kind}")
        if not keeps:
            lines.append("Connection: close")
        head = _head(self.status, lines)
        return head if bodiless else head + self.body


@dataclass(frozen=True, slots=True)
class Live:
    """An answer that goes on until its asker leaves.

    Attributes:
        news: server-sent events of what has changed since it was called last; may be none.
    """

    news: Callable[[], bytes]

    def head(self) -> bytes:
        """What is sent before the events. They end with the connection."""
        return _head(
            200,
            [
                f"Content-Type: {_EVENTS}",
                "Cache-Control: no-store",
                "X-Accel-Buffering: no",  # nginx would keep them until it has many
                "X-Content-Type-Options: nosniff",
                "Connection: close",
            ],
        )


def _head(status: int, headers: Iterable[str]) -> bytes:
    first = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Date: {formatdate(usegmt=True)}",
    )
    return "\r\n".join((*first, *headers)).encode() + b"\r\n\r\n"
