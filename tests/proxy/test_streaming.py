"""A stream over several engines, as the one sees it who reads its outputs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from proxy import settings
from proxy.engine.health import Health
from proxy.engine.lives import Sent
from proxy.engine.requests import Attempt, Engine
from proxy.errors import (
    AnswerTooLarge,
    EngineRefused,
    EngineRestarted,
    EngineSilent,
    ErrorInStream,
    JobError,
    StreamBroken,
)
from proxy.job_log import Record
from proxy.request.forms import COMPLETIONS, Request
from proxy.stream.raw import Comment
from proxy.streaming import Streams
from proxy.wire.answer import Answer
from supervisor.link.figures import Figures

DONE = b"data: [DONE]\n\n"
SOON = 0.001
MANY = 3


def event(text: str, reason: str | None = None, **also: Any) -> bytes:
    choices = [{"index": 0, "text": text, "finish_reason": reason}]
    return b"data: " + json.dumps({"id": "cmpl-1", "choices": choices, **also}).encode() + b"\n\n"


class Source:
    """Gives each piece; a fault at its end is raised."""

    def __init__(self, pieces: list[Any]) -> None:
        self._pieces = list(pieces)

    @property
    def ended(self) -> bool:
        return not self._pieces

    @property
    def more(self) -> bool:
        return False

    def ready(self) -> bytes:
        return b""

    async def read(self) -> bytes:
        piece = self._pieces[0]
        if isinstance(piece, asyncio.Event):
            await piece.wait()
            self._pieces.pop(0)
        piece = self._pieces.pop(0)
        if isinstance(piece, JobError):
            raise piece
        return bytes(piece)

    def close_with_task(self, task: object = None) -> None:
        pass


class Restarting(Health):
    """`lost` says of the first so many faults whether the engine ended; it lives on then."""

    def __init__(self, lost: bool, times: int = 1000) -> None:
        self.lost, self.times = lost, times

    def sent(self) -> Sent:
        return Sent(0, 0.0)

    async def why_broken(self, fault: JobError, tokens: int | None, sent: Sent) -> JobError:
        del tokens, sent
        self.times -= 1
        broke = isinstance(fault, StreamBroken) or "EngineCore" in str(fault)
        cut = self.lost and self.times >= 0 and broke
        return EngineRestarted("the engine ended") if cut else fault


class Engines(Engine):
    """One after the other; each is the pieces that it gives, or what it refuses with."""

    def __init__(self, *engines: list[Any] | JobError, lost: bool = True) -> None:
        self.health = Restarting(lost)
        self.asked: list[dict[str, Any]] = []
        self.sendings: list[dict[str, str]] = []
        self._engines = list(engines)
        self.there = asyncio.Event()  # where somebody clears it, no engine is
        self.there.set()
        self.begins = asyncio.Event()
        self.taken = asyncio.Event()  # where somebody clears it, no engine takes the rest
        self.taken.set()

    schema_so_far = None  # nobody has asked

    def next(self, engine: list[Any]) -> None:
        self._engines.append(engine)

    @asynccontextmanager
    async def stream(
        self, request: Request, attempt: Attempt | None = None
    ) -> AsyncIterator[Answer]:
        engine = self._engines.pop(0)
        if self.asked:
            await self.taken.wait()
        assert attempt is not None
        assert attempt.may_go()
        self.asked.append(request.body)
        self.sendings.append(dict(attempt.headers))
        if isinstance(engine, JobError):
            raise engine
        yield cast(Answer, Source(engine))

    async def answer(self, request: Request) -> Any:
        await self.there.wait()
        return {"tokens": list(range(len(request.body["prompt"].split())))}


class Told:
    """What came of a job: its outputs, its error, its figures."""

    def __init__(self) -> None:
        self.outputs: list[Any] = []
        self.error: JobError | None = None
        self.figures = Figures()
        self.record = Record("job-1", lambda: 0.0)
        self.answered: list[bool] = []  # with each output, whether it was the last

    @property
    def comments(self) -> list[Any]:
        return [each for each in self.outputs if isinstance(each, Comment)]

    @property
    def text(self) -> str:
        said = [each for each in self.outputs if not isinstance(each, Comment)]
        found = "".join(said).split("\n\n")
        chunks = [json.loads(each[6:]) for each in found if each.startswith("data: {")]
        return "".join(choice["text"] for chunk in chunks for choice in chunk["choices"])


async def told(engine: Engines, losses: int = 0, *, native: bool = False, **also: Any) -> Told:
    found = Told()
    streams = Streams(settings.read({}), engine, found.figures, keep_alive_s=SOON)
    body = {"prompt": "x", "stream": True, "max_tokens": 9, **also}
    request = Request("POST", COMPLETIONS, body, native=native)
    kept: list[bytes] = []
    try:
        attempt = Attempt(losses=losses)
        async for output in streams.outputs(request, found.record, attempt, kept):
            found.record.yielded(output)
            found.outputs.append(output)
            found.answered.append(found.record.answered)
            if len(found.comments) == MANY:
                engine.there.set()
                engine.begins.set()
                engine.taken.set()
            kept.append(json.dumps(output).encode())
    except JobError as fault:
        found.error = fault
    return found


BEGUN = [event("a"), event(" b"), StreamBroken("cut")]


async def test_the_next_engine_gives_the_rest() -> None:
    engine = Engines(BEGUN, [event(" c", id="cmpl-2"), DONE])
    found = await told(engine)
    assert (found.error, found.text) == (None, "a b c")
    assert "cmpl-2" not in str(found.outputs)
    assert engine.asked[1] == {"prompt": "xa b", "stream": True, "max_tokens": 7}
    assert [type(each) for each in found.outputs].count(Comment) == 1
    assert found.record.answered
    assert (found.figures.resumed, found.figures.tokens) == (1, 3)


async def test_each_sending_has_a_number_of_its_own() -> None:
    engine = Engines(BEGUN, [event(" c"), DONE])
    await told(engine)
    assert engine.sendings[1]["X-Request-Id"].endswith("-2")


@pytest.mark.parametrize(
    "other", [[event(" bone"), DONE], [event(" ", id="cmpl-2"), event("bone"), DONE]]
)
async def test_a_word_that_comes_again_as_another_is_gone_on_with_as_it_is(other: Any) -> None:
    """Of two that are nearly as likely another engine may take the other one."""
    begun = [event("a"), event(" bee"), StreamBroken("cut")]
    engine = Engines(begun, other, [event("r c"), DONE])
    found = await told(engine, stop=["x"], temperature=0)
    assert (found.error, found.text) == (None, "a beer c")
    assert [asked["prompt"] for asked in engine.asked] == ["x", "xa", "xa bee"]
    assert [sending["X-Request-Id"][-2:] for sending in engine.sendings[1:]] == ["-2", "-3"]
    assert found.figures.resumed == 1


async def test_a_word_that_comes_again_as_it_was_is_gone_on_with() -> None:
    begun = [event("a"), event(" be"), StreamBroken("cut")]
    engine = Engines(begun, [event(" beer"), event(" c"), DONE])
    found = await told(engine, stop=["x"], temperature=0)
    assert (found.error, found.text) == (None, "a beer c")


async def test_an_engine_that_lives_gives_no_second_part() -> None:
    engine = Engines(BEGUN, lost=False)
    found = await told(engine)
    assert found.error is BEGUN[-1]
    assert len(engine.asked) == 1


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (EngineRefused(400, b"no open turn", "POST /x"), "did not go on with the answer"),
        ([event(" c", id="cmpl-2"), StreamBroken("cut")], "it is the second engine"),
    ],
)
async def test_a_second_loss_or_a_refusal_ends_it(second: Any, why: str) -> None:
    engine = Engines(BEGUN, second)
    found = await told(engine)
    assert isinstance(found.error, EngineRestarted)
    assert str(found.error).startswith("the engine ended; ")
    assert found.figures.resumed == 0
    assert sum(found.figures.unresumed.values()) == 1
    assert why in str(found.error)


SAYS_SO = b'data: {"error": {"message": "out of blocks", "type": "x", "code": 500}}\n\n'


@pytest.mark.parametrize(
    "end", [EngineSilent("nothing came for 600 s"), AnswerTooLarge("too large"), SAYS_SO]
)
async def test_what_fails_after_it_went_on_is_counted_too(end: Any) -> None:
    """The engine lives, and the error is what it says or what became of its connection."""
    engine = Engines(BEGUN, [event(" c", id="cmpl-2"), end])
    found = await told(engine)
    assert found.text.startswith("a b c")
    assert found.error is end or isinstance(found.error, ErrorInStream)
    assert (found.figures.resumed, found.figures.unresumed) == (0, {"failed": 1})


async def test_so_is_a_connection_that_breaks_while_the_engine_lives() -> None:
    cut = StreamBroken("cut once more")
    engine = Engines(BEGUN, [event(" c", id="cmpl-2"), cut])
    engine.health = Restarting(lost=True, times=1)
    found = await told(engine)
    assert found.error is cut
    assert (found.figures.resumed, found.figures.unresumed) == (0, {"failed": 1})


async def test_what_was_in_another_engine_before_ends_with_this_one() -> None:
    found = await told(Engines(BEGUN), losses=1)
    assert "second engine" in str(found.error)
    assert found.figures.unresumed == {"second_loss": 1}


async def test_what_is_not_safe_ends_with_its_engine_and_waits_for_nobody() -> None:
    found = await told(Engines(BEGUN), echo=True)
    assert "echo" in str(found.error)
    assert not any(isinstance(each, Comment) for each in found.outputs)
    assert found.figures.unresumed == {"echo": 1}


async def test_a_comment_every_some_seconds_while_no_engine_is_there() -> None:
    engine = Engines(BEGUN, [event(" c"), DONE])
    engine.there.clear()
    found = await told(engine)
    assert (found.error, found.text, len(found.comments)) == (None, "a b c", MANY)


async def test_and_while_the_request_for_the_rest_waits_for_an_engine() -> None:
    """The one that was asked how the answer goes on may be gone again."""
    engine = Engines(BEGUN, [event(" c"), DONE])
    engine.taken.clear()
    found = await told(engine)
    assert (found.error, found.text, len(found.comments)) == (None, "a b c", MANY)


async def test_and_while_the_next_one_reads_the_prompt_again() -> None:
    engine = Engines(BEGUN)
    engine.next([engine.begins, event(" c"), DONE])
    found = await told(engine)
    assert (found.error, found.text) == (None, "a b c")
    assert "".join(found.comments).count("engine was lost") >= MANY


async def test_where_only_the_end_is_missing_nobody_waits() -> None:
    ended = event(" b", reason="stop")
    for native in (False, True):
        engine = Engines([event("a"), ended, StreamBroken("cut")])
        engine.there.clear()
        found = await told(engine, native=native)
        assert (found.error, len(engine.asked), found.comments) == (None, 1, [])
        assert found.figures.resumed == 1
        assert ("[DONE]" in str(found.outputs)) is not native


async def test_no_figures_come_twice() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    figures = b"data: " + json.dumps({"id": "cmpl-1", "choices": [], "usage": usage}).encode()
    begun = [event("a"), event(" b", reason="stop"), figures + b"\n\n", StreamBroken("cut")]
    found = await told(Engines(begun), stream_options={"include_usage": True})
    assert "".join(found.outputs).count("usage") == 1
    assert found.outputs[-1].endswith("[DONE]\n\n")


DIED = b'data: {"error": {"message": "EngineCore encountered an issue.", "code": 500}}\n\n'


async def test_an_end_that_the_dead_engine_gave_is_not_that_of_the_answer() -> None:
    """A stop in the rest is a stop: the job was not answered yet."""
    for begun in ([event("a"), event(" b"), DIED + DONE], [event("a"), event(" b") + DIED + DONE]):
        engine = Engines(begun, [event(" c"), event(" d"), DONE])
        found = await told(engine)
        assert (found.error, found.text) == (None, "a b c d")
        assert found.answered == [False] * (len(found.answered) - 1) + [True]


async def test_who_leaves_at_an_end_that_was_made_has_been_answered() -> None:
    found = await told(Engines([event("a", reason="stop"), StreamBroken("cut")]))
    assert (found.outputs[-1], found.answered[-1]) == (DONE.decode(), True)


async def test_where_no_token_came_the_job_can_be_sent_again_as_a_whole() -> None:
    role = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
    found = await told(Engines([role, StreamBroken("cut")]))
    assert isinstance(found.error, StreamBroken)
    assert found.outputs == []
    assert found.record.first is None
