"""One connection of the control port: reads questions, in time, and writes answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

import httptools

from .answers import Found
from .crowd import Crowd
from .live import Telling
from .message import Answer, Live, Question

HEAD_WITHIN = 5.0  # seconds for a question to come as a whole, and for a last answer to go out
KEPT_FOR = 75.0  # seconds without a question: more than pauses between probes
QUESTIONS_MOST = 16 * 1024  # bytes


class Connection(asyncio.Protocol):
    """Answers by `answers` what comes on a connection, as one of `crowd`."""

    def __init__(
        self, answers: Callable[[Question], Found], crowd: Crowd, most: int = QUESTIONS_MOST
    ) -> None:
        self._most = most  # bytes of questions that have not been answered
        self._answers = answers
        self._crowd = crowd
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._peer = ""
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[tuple[Question | None, bool]] = deque()  # None: no HTTP
        self._task: asyncio.Future[Answer] | None = None
        self._telling: Telling | None = None
        self._unanswered = 0  # bytes
        self._asking = False  # some of a question has come, and not all
        self._ends = False  # nothing is read any more
        self._lost = False
        self._begin()

    # --- the transport's calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open, and has to ask soon."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._crowd.rests(self)
        self._drop_after(HEAD_WITHIN)

    def data_received(self, data: bytes) -> None:
        """Take in some of a question, or several."""
        if self._ends:
            return
        if not self._unanswered and self._task is None:
            self._drop_after(HEAD_WITHIN)
        self._unanswered += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._ends = True  # the question before it is answered, in HTTP/1.1
        except (httptools.HttpParserError, ValueError):
            self._refuse()
        else:
            if self._unanswered > self._most:
                self._refuse()
        self._answer_next()

    def pause_writing(self) -> None:
        """It does not read its answers, which would pile up here."""
        if self._telling is None:
            self.drop()
        else:
            self._telling.pause()

    def resume_writing(self) -> None:
        """It has read them, after all."""
        if self._telling is not None:
            self._telling.resume()

    def connection_lost(self, _reason: Exception | None) -> None:
        """It is closed: what it asked for is not waited for any more."""
        self._ends = self._lost = True
        self._waiting.clear()
        self._crowd.leaves(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        if self._telling is not None:
            self._telling.end()

    def drop(self) -> None:
        """Close it at once."""
        self._ends = True
        self._waiting.clear()
        self._transport.abort()

    def conclude(self) -> None:
        """Tell it the last, and close it."""
        if self._telling is not None:
            self._telling.last()
            self._close()

    # --- the parser's calls ---

    def on_message_begin(self) -> None:
        """A question begins."""
        self._asking = True
        self._begin()

    def on_url(self, part: bytes) -> None:
        """Some of the target."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        name = name.lower()
        if name == b"host":
            self._hosts.append(value.decode("latin-1"))
        elif name == b"authorization":
            self._authorization = value
        elif name == b"accept":
            self._accept = value.decode("latin-1")
        elif name == b"sec-fetch-site":
            self._site = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        """Some of what follows the head."""
        self._body += part

    def on_message_complete(self) -> None:
        """A question has come as a whole."""
        self._asking = False
        url = httptools.parse_url(self._target)
        path, query = url.path or b"", url.query or b""
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        question = Question(
            method=self._parser.get_method().decode("latin-1"),
            path=unquote(path.decode("latin-1")),
            query=dict(reversed(pairs)),
            host=self._hosts[0] if len(self._hosts) == 1 else None,
            authorization=self._authorization,
            accept=self._accept,
            peer=self._peer,
            site=self._site,
            body=self._body,
        )
        keeps = self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1"
        self._waiting.append((question, keeps))

    # --- answers ---

    def _begin(self) -> None:
        self._target = self._body = b""
        self._hosts: list[str] = []
        self._authorization = b""
        self._accept = ""
        self._site = ""

    def _refuse(self) -> None:
        """Nothing that comes now can be understood."""
        self._ends = True
        self._waiting.append((None, False))

    def _answer_next(self) -> None:
        while self._waiting and self._task is None:
            question, keeps = self._waiting.popleft()
            if question is None:
                self._say(Answer.error(400, "this is no request that can be answered"), None, False)
                return
            keeps = keeps and not (self._ends and not self._waiting)
            found = self._answers(question)
            if isinstance(found, Answer):
                self._say(found, question, keeps)
            elif isinstance(found, Live):
                self._begin_telling(found, question)
            else:
                self._wait_for(found, question, keeps)

    def _wait_for(self, found: Awaitable[Answer], question: Question, keeps: bool) -> None:
        self._task = asyncio.ensure_future(found)
        self._crowd.works(self)
        self._drop_after(None)
        self._task.add_done_callback(lambda task: self._found(task, question, keeps))

    def _found(self, task: asyncio.Future[Answer], question: Question, keeps: bool) -> None:
        self._task = None
        if self._lost or task.cancelled():
            self.drop()
            return
        try:
            answer = task.result()
        except Exception:
            self.drop()
            raise
        self._say(answer, question, keeps)
        self._answer_next()

    def _begin_telling(self, live: Live, question: Question) -> None:
        if not self._crowd.looks_on(self):
            why = "enough pages are open already: close one of them"
            self._say(Answer.error(503, why), question, keeps=False)
            return
        self._ends = True
        self._waiting.clear()
        self._drop_after(None)
        self._telling = Telling(self._transport, live, self.drop)
        self._telling.begin()

    def _say(self, answer: Answer, question: Question | None, keeps: bool) -> None:
        bodiless = question is not None and question.method == "HEAD"
        self._transport.write(answer.wire(keeps=keeps, bodiless=bodiless))
        self._crowd.rests(self)
        if not keeps:
            self._close()
        elif not self._waiting:
            self._unanswered = int(self._asking)
            self._drop_after(HEAD_WITHIN if self._asking else KEPT_FOR)

    def _close(self) -> None:
        """Once what was written has gone out."""
        self._ends = True
        self._waiting.clear()
        self._transport.close()
        self._drop_after(HEAD_WITHIN)

    def _drop_after(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if seconds is None else loop.call_later(seconds, self.drop)
