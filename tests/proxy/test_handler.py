"""The handler against a stand-in engine over real HTTP: what each job yields."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer as TestServer

from proxy import settings
from proxy.engine.health import Health
from proxy.engine.lives import Sent
from proxy.engine.requests import Engine
from proxy.errors import AnswerTooLarge, EngineRestarted, JobError
from proxy.handler import Handler
from proxy.stream.raw import Comment, RawJson
from proxy.streamed import Streamed
from tests.client import PATIENCE
from tests.processes import free_port

Ask = Callable[..., Any]


class Worker:
    """A handler with its engine, and what it yields for a job."""

    def __init__(self, url: str, **environment: str) -> None:
        self.settings = settings.read({"ENGINE_URL": url, **environment})
        self.handler = Handler(self.settings, Engine(self.settings))

    async def __aenter__(self) -> Worker:
        return self

    async def __aexit__(self, *_reason: object) -> None:
        await self.handler.close()

    async def ask(self, given: Any) -> list[Any]:
        """What the handler yields for a job that is answered."""
        job = {"id": "job-1", "input": given}
        return [
            json.loads(output) if isinstance(output, RawJson) else output
            async for output in self.handler(job)
        ]

    async def fail(self, given: Any) -> tuple[list[Any], JobError]:
        """What it yields for a job that fails, and the error."""
        outputs: list[Any] = []
        try:
            async for output in self.handler({"id": "job-1", "input": given}):
                outputs += [output]
        except JobError as reason:
            return outputs, reason
        raise AssertionError(f"the job did not fail: {outputs}")


@pytest.fixture
async def worker(fake_engine: str) -> AsyncIterator[Worker]:
    async with Worker(fake_engine) as one:
        yield one


def chat(*, stream: bool = True, **fake: Any) -> dict[str, Any]:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    return {"openai_route": "/v1/chat/completions", "openai_input": {**body, "fake": fake}}


def text(outputs: list[Any]) -> str:
    """The text in a stream of SSE strings."""
    found = []
    for line in "".join(outputs).splitlines():
        if line.startswith("data: {"):
            choices = json.loads(line[6:]).get("choices", ())
            found += [choice["delta"].get("content") or "" for choice in choices]
    return "".join(found)


def words(count: int) -> str:
    return "".join(f" w{index}" for index in range(count))


async def running(url: str) -> float:
    async with httpx.AsyncClient(trust_env=False) as client:
        metrics = (await client.get(f"{url}/metrics")).text
    found = re.search(r"^vllm:num_requests_running.* ([0-9.]+)$", metrics, re.MULTILINE)
    assert found is not None
    return float(found[1])


async def test_an_answer_is_one_object(worker: Worker) -> None:
    (answer,) = await worker.ask(chat(stream=False, tokens=3))
    assert answer["choices"][0]["message"]["content"] == words(3)


async def test_a_redirect_is_not_followed(worker: Worker) -> None:
    """Neither in one piece nor as a stream: the engine's word is no way out either."""
    told: list[str] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.append((await reader.readline()).decode())
        writer.close()

    async with await asyncio.start_server(elsewhere, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for stream in (False, True):
            fake = {"status": 307, "location": f"http://127.0.0.1:{port}/v1/chat/completions"}
            _, error = await worker.fail(chat(stream=stream, **fake))
            assert error.status == 307
    assert told == []


async def test_an_event_larger_than_a_yield_is_parted(fake_engine: str) -> None:
    """As text it comes in parts that make it whole again; in other forms it is an error."""
    given = chat(tokens=3, big=3_000_000)
    async with Worker(fake_engine) as worker:
        outputs = await worker.ask(given)
    assert max(len(json.dumps(output, ensure_ascii=False).encode()) for output in outputs) < 1e6
    assert len(text(outputs)) > 2_900_000
    async with Worker(fake_engine, RAW_OPENAI_OUTPUT="0") as worker:
        _, error = await worker.fail(given)
    assert error.status == 413
    assert "RAW_OPENAI_OUTPUT=1" in str(error)


async def test_what_vllm_no_longer_has_is_named(worker: Worker) -> None:
    given = chat(stream=False)
    given["openai_input"]["best_of"] = 5
    _, error = await worker.fail(given)
    assert (error.param, error.status) == ("best_of", 400)
    given["openai_input"]["n"] = 5
    (answer,) = await worker.ask(given)
    assert len(answer["choices"]) == 5


async def test_messages_as_one_text(worker: Worker) -> None:
    body = {"model": "tiny", "messages": "hi", "max_tokens": 2}
    (answer,) = await worker.ask({"openai_route": "/v1/chat/completions", "openai_input": body})
    assert answer["choices"][0]["message"]["content"] == words(2)


async def test_the_native_form_with_several_sequences_and_logprobs(worker: Worker) -> None:
    params = {"n": 2, "max_tokens": 4, "logprobs": 1}
    outputs = await worker.ask({"prompt": "x", "stream": True, "sampling_params": params})
    for place in range(2):
        mine = [output["choices"][place] for output in outputs if len(output["choices"]) > place]
        assert "".join(text for choice in mine for text in choice["tokens"]) == words(4)
        for choice in mine:
            assert len(choice["logprobs"]) == len(choice["tokens"])
    counts = [output["usage"]["output"] for output in outputs]
    assert counts == sorted(counts)
    assert outputs[-1]["usage"] == {"input": outputs[0]["usage"]["input"], "output": 8}
    assert outputs[0]["usage"]["input"] > 0


@pytest.mark.parametrize("stream", [True, False])
async def test_one_line_of_the_log_says_what_happened(
    fake_engine: str, caplog: pytest.LogCaptureFixture, *, stream: bool
) -> None:
    caplog.set_level("INFO", "proxy")
    async with Worker(fake_engine) as worker:
        await worker.ask(chat(stream=stream, tokens=3))
    (line,) = [record.getMessage() for record in caplog.records if record.name == "proxy"]
    seconds = r"[\d.]+ s"
    pattern = rf"job job-1: \S+ 200, 3 tokens, first after {seconds}, {seconds} in all"
    assert re.fullmatch(pattern, line)


@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_said_is_logged_only_on_demand(
    fake_engine: str, caplog: pytest.LogCaptureFixture, *, stream: bool
) -> None:
    caplog.set_level("DEBUG")
    given = chat(stream=stream, tokens=2)
    given["openai_input"]["messages"][0]["content"] = "my-question"
    async with Worker(fake_engine) as worker:
        await worker.ask(given)
    assert "my-question" not in caplog.text
    assert " w1" not in caplog.text
    async with Worker(fake_engine, LOG_CONTENT="1") as worker:
        await worker.ask(given)
    assert "my-question" in caplog.text
    assert " w1" in caplog.text


async def test_a_get(worker: Worker) -> None:
    (models,) = await worker.ask({"openai_route": "/v1/models", "openai_input": None})
    assert models["data"][0]["id"] == "tiny"


async def test_a_stream_is_whole(worker: Worker) -> None:
    outputs = await worker.ask(chat(tokens=200, rate=2000))
    assert text(outputs) == words(200)
    assert "".join(outputs).endswith("data: [DONE]\n\n")
    assert all(output.endswith("\n\n") for output in outputs)


@pytest.mark.parametrize(
    "fake",
    [{"split_events": True}, {"crlf": True}, {"keepalive": True}, {"merge_events": 4}],
    ids=str,
)
async def test_a_stream_is_whole_however_it_comes(worker: Worker, fake: dict[str, Any]) -> None:
    assert text(await worker.ask(chat(tokens=20, **fake))) == words(20)


async def test_a_character_in_two_pieces(worker: Worker) -> None:
    outputs = await worker.ask(chat(tokens=20, half_character=True))
    assert re.sub(r"[^ w0-9]", "", text(outputs)) == words(20)
    assert "\ufffd" not in text(outputs)


async def test_batches_are_exactly_the_ramps_without_a_budget(fake_engine: str) -> None:
    async with Worker(fake_engine, BATCH_MAX_LATENCY_MS="0") as worker:
        outputs = await worker.ask(chat(tokens=140, rate=1000))
    sizes = [len(re.findall(r'"content": ?" w', output)) for output in outputs]
    assert [size for size in sizes if size] == [1, 3, 9, 27, 50, 50]


async def test_raw_output_off_yields_lists_of_chunks(fake_engine: str) -> None:
    async with Worker(fake_engine, RAW_OPENAI_OUTPUT="0") as worker:
        outputs = await worker.ask(chat(tokens=5))
    chunks = [chunk for output in outputs for chunk in output]
    pieces = [choice["delta"].get("content", "") for c in chunks for choice in c["choices"]]
    assert "".join(pieces) == words(5)


async def test_the_native_form_streams_batches(fake_engine: str) -> None:
    given = {"prompt": "hi", "stream": True, "sampling_params": {"max_tokens": 100}}
    async with Worker(fake_engine, BATCH_MAX_LATENCY_MS="0") as worker:
        outputs = await worker.ask(given)
    sizes = [len(output["choices"][0]["tokens"]) for output in outputs if output["choices"]]
    assert sizes == [1, 3, 9, 27, 50, 10]
    tokens = [t for output in outputs for choice in output["choices"] for t in choice["tokens"]]
    assert "".join(tokens) == words(100)
    assert outputs[-1]["usage"]["output"] == 100


async def test_the_native_form_in_one_piece(worker: Worker) -> None:
    (answer,) = await worker.ask({"prompt": "hi", "sampling_params": {"max_tokens": 4}})
    assert answer["choices"] == [{"tokens": [words(4)]}]
    assert answer["usage"]["output"] == 4


async def test_an_error_of_the_engine_is_kept(worker: Worker) -> None:
    outputs, error = await worker.fail(chat(stream=False, status=400, message="too long"))
    assert outputs == []
    assert (error.status, str(error), error.type) == (400, "too long", "BadRequestError")


async def test_a_streaming_client_gets_the_error_as_an_event_first(worker: Worker) -> None:
    (event,), error = await worker.fail(chat(status=400, message="too long"))
    assert json.loads(event.removeprefix("data: "))["error"] == error.as_object()
    assert (error.status, str(error)) == (400, "too long")


async def test_an_error_inside_a_stream_fails_the_job(worker: Worker) -> None:
    outputs, error = await worker.fail(chat(tokens=9, error_after=4))
    assert text(outputs) == words(4)
    assert error.status == 500
    assert "".join(outputs).count('"error"') == 1


async def test_an_error_as_the_first_event_fails_the_job(worker: Worker) -> None:
    """The caller reads it once, as the event that the engine sent."""
    outputs, error = await worker.fail(chat(tokens=9, error_after=0))
    assert error.status == 500
    assert "".join(outputs).count('"error"') == 1


async def test_a_fault_of_the_proxys_own_is_an_error_without_a_traceback(
    fake_engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Engine):
        async def whole(self, *_asked: Any, **_how: Any) -> Any:
            raise ZeroDivisionError("of the proxy")

    worker = Worker(fake_engine)
    worker.handler = Handler(worker.settings, Broken(worker.settings))
    async with worker:
        outputs, error = await worker.fail(chat(stream=False))
    assert (outputs, error.status) == ([], 500)
    assert str(error) == "the worker failed on this job: ZeroDivisionError"
    assert "job job-1: a fault in the worker itself" in caplog.text
    assert worker.handler.figures.failed == 1
    assert worker.handler.figures.jobs == 0


async def test_who_reads_a_stream_is_told_of_a_fault_of_the_proxys_own(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: Streamed, _events: Sequence[bytes]) -> Iterator[Any]:
        raise ZeroDivisionError("of the proxy")

    given = {"route": "/v1/messages", "body": {"messages": [], "stream": True, "max_tokens": 3}}
    monkeypatch.setattr(Streamed, "batch", broken)
    for ask, name in ((chat(), ""), (given, "event: error\n")):
        (event,), error = await worker.fail(ask)
        assert event.startswith(f"{name}data: {{")
        assert "ZeroDivisionError" in event
        assert error.status == 500
    assert worker.handler.figures.failed == 2


async def test_a_cut_stream_is_an_error_after_what_came(worker: Worker) -> None:
    outputs, error = await worker.fail(chat(tokens=50, cut_after=20, rate=500))
    assert error.status == 502
    assert text(outputs[:-1]) in words(20)
    assert '"error"' in outputs[-1]


async def test_how_a_stream_broke_off_is_asked_once(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is lost a moment later did not break this one off."""
    asked: list[JobError] = []

    async def why_broken(
        _self: Health, fault: JobError, _tokens: int | None, _sent: Sent
    ) -> JobError:
        asked.append(fault)
        return fault if len(asked) == 1 else EngineRestarted("the engine ended")

    monkeypatch.setattr(Health, "why_broken", why_broken)
    _, error = await worker.fail(chat(tokens=9, cut_after=4))
    assert "broke off" in str(error)


async def test_silence_ends_a_request(fake_engine: str) -> None:
    async with Worker(fake_engine, REQUEST_IDLE_TIMEOUT="0.2") as worker:
        for given in (chat(stream=False, hang=True), chat(tokens=9, hang_after=3)):
            _, error = await worker.fail(given)
            assert error.status == 504


class Named(str):
    """Text that a weak reference can watch."""

    __slots__ = ("__weakref__",)


FAILURES: dict[str, dict[str, Any]] = {
    "refused": {"stream": False, "status": 400},
    "refused, as an event": {"status": 400},
    "in the stream": {"tokens": 9, "error_after": 4},
    "as the first event": {"tokens": 9, "error_after": 0},
    "cut": {"tokens": 9, "cut_after": 4},
    "lost twice": {"cut_after": 0},
}


@contextmanager
def gone_at_once(given: dict[str, Any]) -> Iterator[None]:
    """Without a garbage collection nothing is left of the job after the block."""
    given["openai_input"]["messages"][0]["content"] = content = Named("hi")
    watched = weakref.ref(content)
    del content
    gc.collect()
    gc.disable()
    try:
        yield
        given.clear()
        assert watched() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("fake", FAILURES.values(), ids=list(FAILURES))
async def test_a_failed_job_is_gone_at_once(worker: Worker, fake: dict[str, Any]) -> None:
    """A garbage collection is rare here, and a request can be large."""
    given = chat(**fake)
    with gone_at_once(given):
        await worker.fail(given)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_job_that_finds_a_silent_engine_is_gone_at_once(
    fake_engine: str, stream: bool
) -> None:
    given = chat(stream=stream, hang=True)
    async with Worker(fake_engine, REQUEST_IDLE_TIMEOUT="0.2") as worker:
        with gone_at_once(given):
            await worker.fail(given)


async def test_an_engine_that_is_not_there() -> None:
    async with Worker(f"http://127.0.0.1:{free_port()}", ENGINE_WAIT_TIMEOUT="0.3") as worker:
        _, error = await worker.fail(chat(stream=False))
    assert error.status == 503


@pytest.mark.parametrize(
    ("given", "code"),
    [(None, 400), ({}, 400), ({"openai_route": "http://evil.example/"}, 403)],
)
async def test_a_job_that_is_not_understood(worker: Worker, given: Any, code: int) -> None:
    outputs, error = await worker.fail(given)
    assert (outputs, error.status) == ([], code)


async def test_a_model_is_named_where_the_caller_names_none(worker: Worker) -> None:
    (answer,) = await worker.ask({"route": "/v1/completions", "body": {"prompt": "x"}})
    assert answer["model"] == "tiny"


@pytest.mark.parametrize("when", ["before", "within", "suspended"])
async def test_a_cancelled_job_frees_the_engine(
    worker: Worker, fake_engine: str, when: str
) -> None:
    """Cancelled before the first token, while it reads, and while the SDK posts a batch."""
    fake = {"hang": True} if when == "before" else {"tokens": 5000, "rate": 50}
    reached, forever = asyncio.Event(), asyncio.Event()

    async def job() -> None:
        async for _ in worker.handler({"id": "job-2", "input": chat(**fake)}):
            reached.set()
            if when == "suspended":
                await forever.wait()

    task = asyncio.create_task(job())
    async with asyncio.timeout(PATIENCE):
        while await running(fake_engine) == 0:
            await asyncio.sleep(0.02)
        if when != "before":
            await reached.wait()
        task.cancel()
        while await running(fake_engine) > 0:
            await asyncio.sleep(0.02)
    assert task.cancelled() or task.cancelling()


async def test_the_key_is_sent(fake_engine: str) -> None:
    async with Worker(fake_engine, VLLM_API_KEY="s3cret", ALLOWED_ROUTES="/echo-request") as worker:
        (echo,) = await worker.ask({"route": "/echo-request", "body": {"x": 1}})
    assert echo["headers"]["Authorization"] == "Bearer s3cret"


async def test_an_answer_that_the_platform_would_refuse_is_an_error(worker: Worker) -> None:
    _, error = await worker.fail(chat(stream=False, tokens=2, big=20_000_000))
    assert error.status == 413
    assert "20.0 MB" in str(error)
    assert "20 MB" in str(error)


HALF_AN_ERROR = b"HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\n{"


@pytest.mark.parametrize("before", [b"", HALF_AN_ERROR])
async def test_a_connection_that_is_lost_before_the_answer_is_tried_once_more(
    before: bytes,
) -> None:
    """As when the engine closes an idle connection, or dies, just when a request comes."""
    asked = 0

    async def lose(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        if (await reader.readline()).startswith(b"GET /"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            asked += 1
            writer.write(before)
        writer.close()

    server = await asyncio.start_server(lose, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Worker(f"http://127.0.0.1:{port}") as worker:
        for count, stream in enumerate((True, False), 1):
            _, error = await worker.fail(chat(stream=stream))
            assert error.status == 502
            assert asked == 2 * count


# --- errors as events of a stream ---


CUT = b"CUT"


class Says:
    """An engine that gives these answers, one after the other. `sick` is how many probes fail.

    The connection is cut after an answer that ends in CUT. The first answer has the status `first`.
    """

    def __init__(
        self, *answers: bytes, status: int = 200, first: int | None = None, sick: int = 0
    ) -> None:
        self.answers = list(answers)
        self.statuses = [first or status, *[status] * len(answers)]
        self.sick = sick
        self.probed = asyncio.Event()
        self.may_tell = asyncio.Event()  # how it is
        self.may_tell.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/openapi.json":
            return web.Response(status=404)
        if request.path == "/health":
            self.probed.set()
            await self.may_tell.wait()
            self.sick -= 1
            return web.Response(status=200 if self.sick < 0 else 503)
        await request.read()
        answer = self.answers.pop(0)
        response = web.StreamResponse(status=self.statuses.pop(0))
        await response.prepare(request)
        await response.write(answer.removesuffix(CUT))
        if answer.endswith(CUT):
            assert request.transport is not None
            request.transport.abort()
        return response


@asynccontextmanager
async def worker_of(engine: Says, **environment: str) -> AsyncIterator[Worker]:
    async with (
        TestServer(engine.handle) as server,
        Worker(f"http://127.0.0.1:{server.port}", **environment) as worker,
    ):
        yield worker


def error_event(message: str, code: int) -> bytes:
    return b"data: %s\n\n" % json.dumps({"error": {"message": message, "code": code}}).encode()


TOKEN = b'data: {"choices": [{"index": 0, "delta": {"content": " w0"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
CHUNKS = {"RAW_OPENAI_OUTPUT": "0"}


@pytest.mark.parametrize("before", [0, 4])
async def test_an_error_inside_a_stream_of_chunks_is_a_chunk_too(
    fake_engine: str, before: int
) -> None:
    async with Worker(fake_engine, **CHUNKS) as worker:
        outputs, error = await worker.fail(chat(tokens=9, error_after=before))
    chunks = [chunk for output in outputs for chunk in output]
    texts = [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:-1]]
    assert "".join(text or "" for text in texts) == words(before)
    assert chunks[-1]["error"]["code"] == error.status == 500


@pytest.mark.parametrize("before", [0, 4])
async def test_an_error_inside_a_native_stream_fails_the_job(worker: Worker, before: int) -> None:
    """The native form has no place for it; what came before is kept."""
    fake = {"tokens": 9, "error_after": before}
    given = {"prompt": "x", "stream": True, "sampling_params": {"fake": fake}}
    outputs, error = await worker.fail(given)
    tokens = [piece for output in outputs for piece in output["choices"][0]["tokens"]]
    assert "".join(tokens) == words(before)
    assert error.status == 500


@pytest.mark.parametrize("environment", [{}, CHUNKS], ids=["events", "chunks"])
async def test_an_error_event_on_the_second_try_is_told_once(environment: dict[str, str]) -> None:
    engine = Says(CUT, error_event("boom", 500) + DONE)
    async with worker_of(engine, **environment) as worker:
        outputs, error = await worker.fail(chat())
        assert worker.handler.figures.resent == 1
    assert (error.status, str(error)) == (500, "boom")
    assert json.dumps(outputs).count("boom") == 1


@pytest.mark.parametrize("environment", [{}, CHUNKS], ids=["events", "chunks"])
@pytest.mark.parametrize("before", [b"", TOKEN], ids=["first", "later"])
async def test_an_error_event_of_any_size_is_the_engines_error(
    environment: dict[str, str], before: bytes
) -> None:
    """Not another one that says how large it was."""
    async with worker_of(
        Says(before + error_event("z" * 600_000, 400) + DONE), **environment
    ) as worker:
        outputs, error = await worker.fail(chat())
    assert (error.status, str(error)[:9], len(str(error))) == (400, "z" * 9, 2003)
    assert json.dumps(outputs).count("z") == 600_000


@pytest.mark.parametrize("size", [1, 600_000])
async def test_an_error_event_of_an_engine_that_is_lost_is_not_told(size: int) -> None:
    """Another try answers the job."""
    engine = Says(error_event("z" * size, 500) + DONE, TOKEN + DONE, sick=1)
    async with worker_of(engine, **CHUNKS) as worker:
        outputs = await worker.ask(chat())
        assert worker.handler.figures.resent == 1
    assert [chunk["choices"][0]["delta"] for chunk in outputs[0]] == [{"content": " w0"}]


# --- a stop while a job fails ---


@pytest.mark.parametrize("status", [400, 200], ids=["refused", "in the stream"])
async def test_a_stop_while_the_error_event_goes_out_leaves_the_job_failed(
    caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level("INFO", "proxy")
    event = error_event("boom", 400)
    answer = event if status == 200 else event.removeprefix(b"data: ")
    async with worker_of(Says(answer, status=status)) as worker:
        async with aclosing(worker.handler({"id": "job-1", "input": chat()})) as outputs:
            assert "boom" in await anext(outputs)
        figures = worker.handler.figures
    assert (figures.failed, figures.refused, figures.cancelled, figures.jobs) == (1, 1, 0, 0)
    assert "job job-1: /v1/chat/completions 400 engine_error, " in caplog.text


async def test_a_stop_while_the_engines_loss_is_looked_into_is_a_stop() -> None:
    engine = Says(TOKEN + CUT)
    async with asyncio.timeout(PATIENCE), worker_of(engine) as worker:
        engine.may_tell.clear()
        task = asyncio.create_task(worker.fail(chat()))
        await engine.probed.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        engine.may_tell.set()
        figures = worker.handler.figures
        assert (figures.failed, figures.cancelled, figures.jobs) == (0, 1, 0)


# --- an engine that is lost, whatever it says of it ---


@pytest.mark.parametrize("status", [400, 500])
async def test_an_error_event_of_an_engine_that_died_does_not_reach_the_caller(status: int) -> None:
    """Nor does it count as refused: the text before it does, and then why the answer ends."""
    engine = Says(TOKEN + error_event("EngineCore encountered an issue", status) + DONE, sick=100)
    async with worker_of(engine) as worker:
        outputs, error = await worker.fail(chat())
        figures = worker.handler.figures
    assert text(outputs) == " w0"
    assert (error.status, "ended in the middle" in str(error)) == (502, True)
    assert "EngineCore" not in "".join(outputs)
    assert json.loads(outputs[-1].removeprefix("data: "))["error"]["code"] == 502
    assert (figures.failed, figures.refused, figures.engine_errors) == (1, 0, 1)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [400, 500])
async def test_an_error_of_an_engine_that_died_before_any_output_is_tried_again(
    status: int, stream: bool
) -> None:
    died = error_event("EngineCore encountered an issue", status)
    whole = b'{"choices": [{"message": {"content": " w0"}}]}'
    answers = (died + DONE, TOKEN + DONE) if stream else (died[6:], whole)
    engine = Says(*answers, sick=2, first=200 if stream else status)
    async with worker_of(engine) as worker:
        outputs = await worker.ask(chat(stream=stream))
        figures = worker.handler.figures
    assert " w0" in (text(outputs) if stream else json.dumps(outputs))
    assert (figures.answered, figures.resent, figures.engine_errors) == (1, 1, 1)
    assert (figures.failed, figures.refused) == (0, 0)


# --- the end, and comments ---


async def test_a_stop_after_the_end_was_handed_over_leaves_the_job_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client closes its stream at `[DONE]`."""
    caplog.set_level("INFO", "proxy")
    async with worker_of(Says(TOKEN + DONE)) as worker:
        async with aclosing(worker.handler({"id": "job-1", "input": chat()})) as outputs:
            while "[DONE]" not in await anext(outputs):
                pass
        figures = worker.handler.figures
    assert (figures.answered, figures.cancelled, figures.failed, figures.jobs) == (1, 0, 0, 0)
    assert "job job-1: /v1/chat/completions 200, 1 tokens" in caplog.text


async def test_a_stop_before_the_end_is_a_cancellation(fake_engine: str) -> None:
    async with Worker(fake_engine) as worker:
        given = chat(tokens=100, rate=20)
        async with aclosing(worker.handler({"id": "job-1", "input": given})) as outputs:
            await anext(outputs)
        figures = worker.handler.figures
    assert (figures.answered, figures.cancelled) == (0, 1)


async def test_comments_come_while_the_engine_is_silent(fake_engine: str, tmp_path: Path) -> None:
    """And are no output of the answer: the first one comes with the first token."""
    go = tmp_path / "go"
    given = chat(tokens=2, wait_for=str(go), keepalive=True, first_token_s=1.2)
    async with (
        Worker(fake_engine) as worker,
        aclosing(worker.handler({"id": "job-1", "input": given})) as outputs,
    ):
        first = await anext(outputs)
        assert type(first) is Comment
        assert first.startswith(": ping\n\n")
        go.touch()
        rest = [output async for output in outputs]
    assert text(rest) == words(2)


@pytest.mark.parametrize("form", ["chunks", "native"])
async def test_other_forms_have_no_comments(fake_engine: str, form: str) -> None:
    fake: dict[str, Any] = {"tokens": 2, "first_token_s": 1.2, "keepalive": True}
    params = {"max_tokens": 2, "fake": fake}
    native: Any = {"prompt": "x", "stream": True, "sampling_params": params}
    async with Worker(fake_engine, **(CHUNKS if form == "chunks" else {})) as worker:
        outputs = await worker.ask(chat(**fake) if form == "chunks" else native)
    assert all(isinstance(output, list | dict) and output for output in outputs)
    assert "ping" not in json.dumps(outputs)


async def test_a_comment_is_no_reason_not_to_try_again() -> None:
    """The engine was silent for a while, and was lost then."""
    engine = Says(b": keep-alive\n\n" + CUT, TOKEN + DONE)
    async with worker_of(engine) as worker:
        outputs = await worker.ask(chat())
        assert worker.handler.figures.resent == 1
    assert text(outputs) == " w0"


# --- what one job may hold ---


async def test_an_event_that_never_ends_is_refused_while_it_comes() -> None:
    async with worker_of(Says(b"data: " + b"x" * 30_000_000)) as worker:
        (event,), error = await worker.fail(chat())
    assert error.status == 413
    assert "20 MB" in str(error)
    assert '"error"' in event


async def test_a_stream_that_the_platform_cannot_carry_says_so_at_its_end(
    worker: Worker, fake_engine: str
) -> None:
    """Whoever counts what a job holds throws that in."""
    answer = worker.handler({"id": "j", "input": chat(tokens=100_000, rate=100)})
    await anext(answer)
    event = await answer.athrow(AnswerTooLarge("more than the 20 MB"))
    assert json.loads(event[6:])["error"]["code"] == 413
    with pytest.raises(AnswerTooLarge):
        await anext(answer)
    assert worker.handler.figures.failed == 1
    async with asyncio.timeout(PATIENCE):
        while await running(fake_engine):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("native", [False, True])
async def test_a_large_answer_is_handed_over_as_json(worker: Worker, native: bool) -> None:
    fake = {"tokens": 2, "big": 1_000_000}
    own: Any = {"prompt": "x", "sampling_params": {"max_tokens": 2, "fake": fake}}
    given = own if native else chat(stream=False, **fake)
    (answer,) = [output async for output in worker.handler({"id": "job-1", "input": given})]
    assert type(answer) is RawJson
    (choice,) = json.loads(answer)["choices"]
    assert len(choice["tokens"][0] if native else choice["message"]["content"]) > 1_000_000
    assert worker.handler.figures.tokens == 2


async def test_an_engine_is_asked_what_it_takes_when_the_first_jobs_are_over(
    fake_engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come a moment after it is ready; vLLM answers nobody while it writes that down."""
    asked: list[int] = []

    async def schema(engine: Engine) -> None:
        del engine
        if asyncio.current_task() is preparing:  # a job with a name that nobody knows asks too
            asked.append(worker.handler.figures.jobs)

    monkeypatch.setattr(Engine, "schema", schema)
    async with Worker(fake_engine) as worker, asyncio.timeout(PATIENCE):
        preparing = asyncio.create_task(worker.handler.prepare())
        await worker.handler._engine.health.until_ready()
        await asyncio.sleep(0.05)
        await worker.ask(chat(tokens=75, rate=50))
        assert asked == []
        await preparing
    assert asked == [0]
