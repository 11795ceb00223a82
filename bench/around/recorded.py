"""A proxy between an engine and a platform in memory, which relays one recorded stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from unittest import mock

from proxy import handler, settings
from proxy.engine.health import Health
from proxy.engine.lives import Lives
from proxy.engine.requests import Attempt, Engine
from proxy.handler import Handler
from proxy.job_log import Record
from proxy.platform.results import Results
from proxy.request.forms import CHAT, Request
from proxy.tally import Tally
from proxy.wire.answer import Answer
from proxy.wire.pool import Origin
from proxy.wire.posts import Posts
from supervisor.link.histogram import Histogram

TOKENS = 200
AT_A_TIME = 3  # tokens in an output, as with burst-300


class Relayed:
    """A proxy's job, from its input to its result, between an engine and a platform in memory.

    Args:
        counts: with metrics; without them where it is False.
    """

    def __init__(self, *, counts: bool = True) -> None:
        own = settings.read(
            {
                "DEFAULT_BATCH_SIZE": str(AT_A_TIME),
                "DEFAULT_BATCH_SIZE_GROWTH_FACTOR": "1",
                "BATCH_MAX_LATENCY_MS": "0",
            }
        )
        with mock.patch.object(handler, "Tally", Tally if counts else _Uncounted):
            self._handler = Handler(own, _Recorded())
        self.figures = self._handler.figures
        if not counts:
            self.figures.post = _Unobserved(())
        self._posts = _Posts()
        url = "http://127.0.0.1/$ID?"
        self._results = Results(self._posts, url, url, {}, figures=self.figures)

    @property
    def outputs(self) -> int:
        """Posts so far."""
        return self._posts.count

    async def relay(self) -> None:
        """One stream."""
        asked = {"messages": [{"role": "user", "content": "x"}], "stream": True}
        job = {"id": "job-1", "input": {"openai_route": CHAT, "openai_input": asked}}
        await self._results.finish("job-1", await self._results.run(self._handler, job))


class _Uncounted(Tally):
    """Counts nothing."""

    def began(self) -> None:
        pass

    def sent(self, record: Record) -> None:
        pass

    def output(self, record: Record) -> None:
        pass

    def ended(self, record: Record) -> None:
        pass


class _Unobserved(Histogram):
    def observe(self, value: float) -> None:
        pass


class _Posts(Posts):
    """A platform that takes everything at once."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    async def post(self, origin: Origin, head: bytes, body: bytes) -> int:
        del origin, head, body
        self.count += 1
        return 200


class _Well(Health):
    """An engine that is never lost."""

    def __init__(self) -> None:
        self._lives = Lives()


class _Recorded(Engine):
    """Answers each request with the same stream."""

    def __init__(self) -> None:
        self.health = _Well()
        events = [*map(_event, range(TOKENS)), b"data: [DONE]\n\n"]
        starts = range(0, len(events), AT_A_TIME)
        self._pieces = [b"".join(events[start : start + AT_A_TIME]) for start in starts]

    @asynccontextmanager
    async def stream(
        self, request: Request, attempt: Attempt | None = None
    ) -> AsyncIterator[Answer]:
        del request
        if attempt is not None:
            attempt.may_go()
        yield cast(Answer, _Source(self._pieces))


class _Source:
    """A recorded body."""

    more = False

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = len(pieces)

    @property
    def ended(self) -> bool:
        return not self._left

    def ready(self) -> bytes:
        self._left -= self._left > 0
        return next(self._pieces, b"")

    async def read(self) -> bytes:
        return self.ready()

    def close_with_task(self, task: object = None) -> None:
        pass


def _event(number: int) -> bytes:
    last = number + 1 == TOKENS
    choice: Mapping[str, Any] = {
        "index": 0,
        "delta": {"content": f" token-{number}"},
        "logprobs": None,
        "finish_reason": "length" if last else None,
    }
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    text = json.dumps({**head, "choices": [choice]}, separators=(",", ":"))
    return f"data: {text}\n\n".encode()
