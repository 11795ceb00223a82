"""How an answer goes on, by what an engine says."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

import pytest

from proxy import settings
from proxy.engine.openapi import SchemaLate
from proxy.engine.requests import Engine
from proxy.errors import (
    AnswerTooLarge,
    EngineRefused,
    EngineRestarted,
    EngineSilent,
    EngineUnavailable,
    JobError,
    StreamBroken,
)
from proxy.request.forms import CHAT, COMPLETIONS, Request
from proxy.request.schema import Schema
from proxy.resume import end
from proxy.resume.resuming import CannotResume, Rest, Resuming
from proxy.resume.safe import OPEN_TURN
from proxy.stream import sse
from proxy.stream.ramp import ANSWER_MOST
from supervisor.link.figures import Unresumed

MESSAGES = [{"role": "user", "content": "x"}]


class Asked(Engine):
    """Counts a word as a token. `fault` is what it says instead, `times` times.

    `closed` is what its template writes behind an answer that it is to go on with.
    """

    def __init__(
        self,
        fault: JobError | None = None,
        times: int = 1000,
        *,
        open_turn: bool = True,
        closed: str = "",
    ) -> None:
        self.fault, self.times, self.closed = fault, times, closed
        self.names = OPEN_TURN if open_turn else frozenset()

    @property
    def schema_so_far(self) -> Schema | None:
        return Schema(names={CHAT: self.names})

    async def answer(self, request: Request) -> Any:
        self.times -= 1
        if self.fault is not None and self.times >= 0:
            raise self.fault
        assert request.route == "/tokenize"
        body = request.body
        text = body.get("prompt") or " ".join(each["content"] for each in body["messages"])
        words = [*text.split(), *(self.closed.split() if "messages" in body else ())]
        return {"tokens": [zlib.crc32(word.encode()) for word in words]}


class Unasked(Asked):
    """Nobody has asked what it takes; then it misses the first questions, and says this."""

    def __init__(self, *missed: JobError, says: Schema | None = None) -> None:
        super().__init__()
        self.missed, self.says = list(missed), says
        self.questions = 0

    @property
    def schema_so_far(self) -> Schema | None:
        return None

    async def schema(self, *, surely: bool = False) -> Schema | None:
        assert surely, "what it only did not say this once counts for nothing"
        self.questions += 1
        if self.missed:
            raise self.missed.pop(0)
        return self.says


def resuming(engine: Engine | None = None, **environment: str) -> Resuming:
    return Resuming(settings.read(environment), engine or Asked())


async def gone_on(engine: Engine, request: Request, kept: list[bytes]) -> Rest:
    found = resuming(engine)
    return await found.rest(request, await found.begun(request, kept, 0))


def chat(**also: Any) -> Request:
    return Request("POST", CHAT, {"messages": MESSAGES, "stream": True, **also})


def sent(text: str, reason: str | None = None, **also: Any) -> list[bytes]:
    """What was handed over: events as text, one output each."""
    head = {"id": "chatcmpl-1", "created": 5, "model": "m"}
    chunks = [
        {**head, **also, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
        for delta, end in (
            ({"role": "assistant", "content": ""}, None),
            ({"content": text}, reason),
        )
    ]
    return [json.dumps(f"data: {json.dumps(chunk)}\n\n").encode() for chunk in chunks]


async def test_the_rest_is_asked_for_with_what_is_left_of_the_tokens() -> None:
    rest = await gone_on(Asked(), chat(max_tokens=9), sent("so far, so good\n"))
    assert rest.request is not None
    assert rest.request.body["messages"][-1]["content"] == "so far, so good"
    assert rest.request.body["max_tokens"] == 5


async def test_where_no_text_came_the_question_is_the_same() -> None:
    """An engine would refuse an empty turn."""
    request = chat(max_tokens=9)
    for text in ("", "\n\n"):
        rest = await gone_on(Asked(), request, sent(text))
        assert rest.request is request


@pytest.mark.parametrize(("reason", "most"), [("stop", 9), (None, 3)])
async def test_where_only_the_end_is_missing_it_is_made(reason: str | None, most: int) -> None:
    asked = chat(max_tokens=most, stream_options={"include_usage": True})
    rest = await gone_on(Asked(), asked, sent("one two three", reason))
    assert rest.request is None
    *ends, usage, done = rest.last
    assert sse.is_done(done)
    assert sse.parsed(usage)["usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 3,
        "total_tokens": 4,
    }
    reasons = [sse.parsed(event)["choices"][0]["finish_reason"] for event in ends]
    assert reasons == ([] if reason else ["length"])
    assert {sse.parsed(event)["id"] for event in (*ends, usage)} == {"chatcmpl-1"}


async def test_the_figures_that_came_are_not_asked_for() -> None:
    """Each event may have them, and a prompt may be of another form than a text."""
    asked = chat(max_tokens=3, stream_options={"include_usage": True})
    usage = {"prompt_tokens": 70, "completion_tokens": 3, "total_tokens": 73}
    kept = sent("one two three", usage=usage)
    *_, told, _done = (await gone_on(Asked(), asked, kept)).last
    assert sse.parsed(told)["usage"] == usage


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        (sent("so far"), 1),
        (sent("so far", usage={"prompt_tokens": 2, "completion_tokens": 2}), 2),
    ],
)
async def test_the_question_s_tokens_over_the_seam(kept: list[bytes], asked: int) -> None:
    """As the first engine told them, or as `/tokenize` counts them."""
    usage = {"prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9}
    wanted = {"stream_options": {"include_usage": True}}
    completion = Request("POST", COMPLETIONS, {"prompt": "x", "max_tokens": 9, **wanted})
    for request in (chat(**wanted), completion):
        found = (await gone_on(Asked(), request, kept)).seam.usage(usage)
        assert (found["prompt_tokens"], found["total_tokens"]) == (asked, asked + 7)


@pytest.mark.parametrize("prompt", ["x", ["x"], [1], [[1]]])
async def test_the_figures_of_a_prompt_of_any_form(prompt: Any) -> None:
    body = {"prompt": prompt, "max_tokens": 1, "stream_options": {"include_usage": True}}
    event = {"id": "cmpl-1", "choices": [{"index": 0, "text": "a", "finish_reason": None}]}
    kept = [json.dumps(f"data: {json.dumps(event)}\n\n").encode()]
    rest = await gone_on(Asked(), Request("POST", COMPLETIONS, body), kept)
    assert sse.parsed(rest.last[-2])["usage"]["prompt_tokens"] == 1


async def test_a_completion_that_names_no_limit_has_vllms() -> None:
    request = Request("POST", COMPLETIONS, {"prompt": [1, 2], "stream": True})
    words = " ".join(map(str, range(16)))
    body = {"id": "cmpl-1", "choices": [{"index": 0, "text": words, "finish_reason": None}]}
    rest = await gone_on(Asked(), request, [json.dumps(f"data: {json.dumps(body)}\n\n").encode()])
    assert rest.request is None
    assert len(rest.last) == 2, "nobody asked for the usage"


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (Asked(open_turn=False), Unresumed.VERSION),
        (Asked(closed="<end>"), Unresumed.TEMPLATE),
        (Asked(EngineUnavailable("away")), Unresumed.NO_ENGINE),
        (Asked(EngineRefused(404, b"no such route", "POST /tokenize")), Unresumed.REFUSED),
        (Asked(StreamBroken("cut")), Unresumed.SECOND_LOSS),
        (Asked(EngineSilent("nothing came for 600 s")), Unresumed.REFUSED),
        (Asked(AnswerTooLarge("the answer is too large")), Unresumed.REFUSED),
    ],
)
async def test_an_engine_that_cannot_or_does_not_say(engine: Asked, reason: Unresumed) -> None:
    with pytest.raises(CannotResume) as caught:
        await gone_on(engine, chat(), sent("a"))
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "also",
    [
        {"logprobs": True},
        {"tools": [{"type": "function"}]},
        {"include_reasoning": False},
        {"response_format": {"type": "json_object"}},
    ],
)
async def test_an_answer_that_is_all_there_ends_whatever_it_is_made_of(
    also: dict[str, Any],
) -> None:
    thought = {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"reasoning": "hm"}}]}
    kept = [json.dumps(f"data: {json.dumps(thought)}\n\n").encode(), *sent("so far", "stop")]
    found = await resuming().begun(chat(**also), kept, 1)
    assert found.finish == "stop"
    usage = {"include_usage": True}
    asked = chat(stream_options=usage, **also)
    last = end.known(asked, await resuming().begun(asked, kept, 0))
    assert last is not None
    assert [*map(sse.is_done, last)] == [True], "nobody can count its tokens by its text"
    counted = sent("so far", "stop", usage={"prompt_tokens": 1, "completion_tokens": 2})
    last = end.known(asked, await resuming().begun(asked, counted, 0))
    assert last is not None
    assert sse.parsed(last[0])["usage"]["completion_tokens"] == 2
    with pytest.raises(CannotResume):
        await resuming().begun(chat(n=2, **also), kept, 0)


@pytest.mark.parametrize(
    "engine", [Asked(EngineUnavailable("away")), Asked(StreamBroken("cut")), Unasked()]
)
async def test_an_answer_that_is_all_there_ends_also_where_nobody_counts_it(engine: Asked) -> None:
    """It was in hand at the end of another engine, too, and has a name that nobody knows."""
    asked = chat(stream_options={"include_usage": True}, later=1)
    found = resuming(engine)
    rest = await found.rest(asked, await found.begun(asked, sent("one two", "stop"), 1))
    assert rest.request is None
    assert sse.is_done(rest.last[-1])
    assert len(rest.last) == (1 if engine.fault is not None else 2)


async def test_what_a_chat_goes_on_from_is_told_by_its_prompts_alone() -> None:
    """An engine may serve no schema, and one that starts takes its time to write it."""
    engine = Unasked()
    assert (await gone_on(engine, chat(), sent("a"))).request is not None
    assert engine.questions == 0
    engine.closed = "<end>"
    with pytest.raises(CannotResume) as caught:
        await gone_on(engine, chat(), sent("a"))
    assert caught.value.reason is Unresumed.TEMPLATE


LATE = "/openapi.json of the engine did not come within 10 s"


@pytest.mark.parametrize("missed", [StreamBroken("cut"), SchemaLate(LATE)])
async def test_what_it_did_not_say_this_once_is_asked_again(missed: JobError) -> None:
    engine = Unasked(missed, missed, says=Schema(names={CHAT: OPEN_TURN}))
    assert (await gone_on(engine, chat(of_others=1), sent("a"))).request is not None
    assert engine.questions == 3
    engine = Unasked(*[missed] * 9)
    with pytest.raises(CannotResume) as caught:
        await gone_on(engine, chat(of_others=1), sent("a"))
    late = isinstance(missed, SchemaLate)
    assert caught.value.reason is (Unresumed.REFUSED if late else Unresumed.SECOND_LOSS)
    assert (LATE in str(caught.value.told(EngineRestarted("it ended")))) is late


async def test_where_no_schema_is_served_a_name_that_nobody_knows_may_be_read() -> None:
    with pytest.raises(CannotResume) as caught:
        await gone_on(Unasked(), chat(of_others=1), sent("a"))
    assert caught.value.reason is Unresumed.OTHER


async def test_a_name_that_the_engine_reads_and_nobody_knows() -> None:
    engine = Asked()
    engine.names |= {"later"}
    assert (await gone_on(engine, chat(of_others=1), sent("a"))).request is not None
    with pytest.raises(CannotResume) as caught:
        await gone_on(engine, chat(later=1), sent("a"))
    assert caught.value.reason is Unresumed.OTHER


async def test_an_engine_that_ends_before_it_has_the_job_is_no_second_loss() -> None:
    rest = await gone_on(Asked(StreamBroken("cut"), times=2), chat(), sent("a"))
    assert rest.request is not None


async def test_what_is_known_without_an_engine() -> None:
    async def why(
        kept: list[bytes] | None, losses: int = 0, on: str = "1", **also: Any
    ) -> Unresumed | None:
        try:
            await resuming(RESUME_STREAMS=on).begun(chat(**also), kept, losses)
        except CannotResume as cannot:
            return cannot.reason
        return None

    assert await why(sent("a")) is None
    assert await why(None) is Unresumed.OFF
    assert await why(sent("a"), on="0") is Unresumed.OFF
    assert await why(sent("a"), losses=1) is Unresumed.SECOND_LOSS
    assert await why(sent("a"), n=2) is Unresumed.SEQUENCES
    assert await why([b"x" * 20_000_000]) is Unresumed.TOO_LARGE


async def test_a_long_answer_is_read_while_others_have_their_turn() -> None:
    """A job's answer may have 67,000 tokens."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m" * 32}
    choice = {"index": 0, "delta": {"content": " word"}, "logprobs": None, "finish_reason": None}
    batch = json.dumps(f"data: {json.dumps({**head, 'choices': [choice]})}\n\n" * 50).encode()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    count = ANSWER_MOST // len(batch)
    found = await resuming().begun(chat(), [batch] * count, 0)
    beside.cancel()
    assert found.text == " word" * 50 * count
    assert turns > 200


def test_the_error_says_why() -> None:
    lost = EngineRestarted("the engine ended")
    assert CannotResume(Unresumed.OFF).told(lost) is lost
    cause = EngineUnavailable("no engine was ready within 1 s")
    assert str(CannotResume(Unresumed.NO_ENGINE, cause).told(lost)) == (
        "the engine ended; no engine was there in time to go on with it:"
        " no engine was ready within 1 s"
    )
