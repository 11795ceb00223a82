"""What jobs are answered, whatever the engine says: the handler against engines over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.request import audio
from tests.client import post
from tests.processes import free_port
from tests.proxy.test_handler import DONE, Says, Worker, chat, error_event, worker_of

SOUND = b"RIFF\x00\xff" * 100_000
TEXT = base64.b64encode(SOUND).decode()
CALLS = [{"index": 0, "id": "c", "function": {"name": "tell", "arguments": "{}"}}, {"index": 1}]


@pytest.fixture
async def worker(fake_engine: str) -> AsyncIterator[Worker]:
    async with Worker(fake_engine) as one:
        yield one


def native(stream: bool = False, **fake: Any) -> dict[str, Any]:
    sampling = {"max_tokens": 3, "fake": fake}
    messages = [{"role": "user", "content": "hi"}]
    return {"messages": messages, "stream": stream, "sampling_params": sampling}


# --- the native form ---


async def test_tool_calls_and_reasoning_are_in_the_native_answer(worker: Worker) -> None:
    beside = {"reasoning": "let me see", "tool_calls": CALLS, "refusal": "no"}
    (answer,) = await worker.ask(native(beside=beside))
    (choice,) = answer["choices"]
    assert choice == {
        "tokens": [" w0 w1 w2"],
        "reasoning": ["let me see"],
        "tool_calls": CALLS,
        "refusal": ["no"],
    }


async def test_tool_calls_and_reasoning_are_streamed_as_they_come(worker: Worker) -> None:
    beside = {"reasoning_content": "let me see", "tool_calls": CALLS}
    outputs = await worker.ask(native(stream=True, beside=beside))
    choices = [output["choices"][0] for output in outputs if output["choices"]]
    together: dict[str, list[Any]] = {}
    for choice in choices:
        for name, pieces in choice.items():
            together.setdefault(name, []).extend(pieces)
    assert together == {
        "reasoning": ["let", "me", "see"],
        "tool_calls": CALLS,
        "tokens": [" w0", " w1", " w2"],
    }
    assert outputs[-1]["usage"]["output"] == 3, "as the engine counts"


async def test_a_native_stream_of_thousands_of_sequences_stays_small(worker: Worker) -> None:
    """Each batch was padded to the highest sequence: 80 kB for each of 200 batches."""
    given = {"prompt": "x", "stream": True, "sampling_params": {"n": 5000, "max_tokens": 2}}
    outputs = await worker.ask(given)
    assert outputs[-1]["usage"]["output"] == 10_000
    texts: dict[int, str] = {}
    for output in outputs:
        for place, choice in enumerate(output["choices"]):
            index = choice.get("index", place)
            texts[index] = texts.get(index, "") + "".join(choice["tokens"])
    assert texts == dict.fromkeys(range(5000), " w0 w1")
    assert sum(len(json.dumps(output)) for output in outputs) < 1_000_000


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"<html>busy</html>", "the engine's answer is no JSON|no list of choices"),
        (b"{}", "no list of choices"),
        (b'{"choices": 5}', "no list of choices"),
        (b"[]", "no list of choices"),
    ],
)
async def test_what_is_no_native_answer_is_a_sentence(answer: bytes, said: str) -> None:
    async with worker_of(Says(answer)) as worker:
        outputs, error = await worker.fail(native() | {"model": "m"})
    assert (outputs, error.status) == ([], 502)
    assert error.type == "engine_error"
    assert any(part in str(error) for part in said.split("|"))


# --- what JSON has not ---

NAN = b'{"choices": [{"text": "NaN", "logprobs": {"p": [NaN, -Infinity, 1]}, "index": 0}]}'
NULLS = {"p": [None, None, 1]}


@pytest.mark.parametrize("kind", ["native", "whole", "native stream", "chunks"])
async def test_numbers_that_json_has_not_are_null(kind: str) -> None:
    streams = kind in {"native stream", "chunks"}
    answer = b"data: " + NAN + b"\n\n" + DONE if streams else NAN
    given: dict[str, Any] = {"prompt": "x", "model": "m"}
    if "native" in kind:
        given |= {"stream": streams}
    else:
        given = {"route": "/v1/completions", "body": {**given, "stream": streams}}
    async with worker_of(Says(answer), RAW_OPENAI_OUTPUT="0") as worker:
        (output,) = await worker.ask(given)
    text = json.dumps(output)
    assert '"NaN"' in text
    assert text.count("NaN") == 1
    assert "Infinity" not in text
    assert json.dumps(NULLS) in text


@pytest.mark.parametrize("environment", [{}, {"RAW_OPENAI_OUTPUT": "0"}], ids=["events", "chunks"])
@pytest.mark.parametrize("given", [chat(), native(stream=True) | {"model": "m"}])
async def test_bytes_that_are_no_text_fail_no_stream(
    environment: dict[str, str], given: dict[str, Any]
) -> None:
    """Half a surrogate as an escape, and a byte that is no UTF-8: the rest arrives."""
    event = b'data: {"choices":[{"delta":{"content":"\\ud83d \xff NaN"},"logprobs":{"p":NaN}}]}\n\n'
    async with worker_of(Says(event + DONE), **environment) as worker:
        outputs = await worker.ask(given)
    text = "".join(out if isinstance(out, str) else json.dumps(out) for out in outputs)
    assert "\\ud83d" in text
    assert "\N{REPLACEMENT CHARACTER} NaN" in text or "\\ufffd NaN" in text
    assert text.count("NaN") == 1
    assert text.replace(" ", "").count('"p":null') == 1


async def test_a_native_error_event_of_any_size_is_the_engines_error() -> None:
    async with worker_of(Says(error_event("z" * 600_000, 400) + DONE)) as worker:
        _, error = await worker.fail(native(stream=True) | {"model": "m"})
    assert (error.status, str(error)[:9]) == (400, "z" * 9)


async def test_a_native_event_that_is_too_large_is_an_error() -> None:
    event = b'data: {"choices": [{"text": "%s"}]}\n\n' % (b"z" * 600_000)
    async with worker_of(Says(event + DONE)) as worker:
        _, error = await worker.fail(native(stream=True) | {"model": "m"})
    assert (error.status, error.type) == (413, "answer_too_large")
    assert "0.6 MB" in str(error)


# --- errors ---


@pytest.mark.parametrize(
    "body",
    [b"", b"[1]", b'{"error": [{"message": 5}]}', b"<html><h1>Oh", b'{"detail": [{"loc": []}]}'],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_of_any_form_is_a_sentence(
    body: bytes, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with worker_of(Says(body, status=418)) as worker:
        _, error = await worker.fail(chat(stream=stream))
    assert error.status == 418
    assert str(error)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "given",
    [
        {"route": "/v1/embeddings", "body": {"input": "x"}},
        {"openai_route": "/v1/rerank", "openai_input": {"input": "x", "stream": True}},
    ],
)
async def test_a_route_that_this_model_has_not_is_named(given: dict[str, Any]) -> None:
    """As vLLM 0.32 answers where the model is no pooling model."""
    route = given.get("route") or given["openai_route"]
    body = given.get("body") or given["openai_input"]
    body["model"] = "m"
    engine = Says(b'{"detail":"Not Found"}', status=404)
    async with worker_of(engine) as worker:
        _, error = await worker.fail(given)
    assert (error.status, error.type) == (404, "NotFoundError")
    assert f"the engine has no route {route} for this model" in str(error)


async def test_a_method_that_a_route_does_not_take_is_named(worker: Worker) -> None:
    _, error = await worker.fail({"route": "/v1/models", "body": {"x": 1}})
    assert error.status == 405
    assert "/v1/models does not take POST; ask for it by GET" in str(error)


async def test_a_get_stays_a_get_with_stream(worker: Worker) -> None:
    body = {"stream": True}
    (answer,) = await worker.ask({"route": "/v1/models", "method": "GET", "body": body})
    assert answer["data"][0]["id"] == "tiny"


# --- recordings ---


@pytest.mark.parametrize("route", sorted(audio.ROUTES))
@pytest.mark.parametrize("prefix", ["", "data:audio/wav;base64,"])
async def test_a_recording_reaches_the_engine_as_a_form(
    worker: Worker, route: str, prefix: str
) -> None:
    body = {
        "file": prefix + TEXT,
        "language": "en",
        "temperature": 0.5,
        "timestamp_granularities": ["word", "segment"],
        "prompt": "tö",
        "hotwords": None,
    }
    (answer,) = await worker.ask({"openai_route": route, "openai_input": body})
    assert answer["text"] == "600000 bytes of sound"
    assert answer["file"] == {
        "name": "audio.wav" if prefix else "audio",
        "type": "audio/wav" if prefix else "application/octet-stream",
        "bytes": len(SOUND),
        "sha256": hashlib.sha256(SOUND).hexdigest(),
    }
    assert answer["fields"] == [
        ["language", "en"],
        ["temperature", "0.5"],
        ["timestamp_granularities[]", "word"],
        ["timestamp_granularities[]", "segment"],
        ["prompt", "tö"],
        ["model", "tiny"],
    ]


async def test_a_transcription_streams(worker: Worker) -> None:
    body = {"file": TEXT, "stream": True, "filename": "a.flac"}
    outputs = await worker.ask({"route": "/v1/audio/transcriptions", "body": body})
    events = "".join(outputs).split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    said = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert said == "600000 bytes of sound "
    assert chunks[0]["model"] == "tiny"
    assert events[-2] == "data: [DONE]"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("no base64!", "file is no base64"),
        (None, "file is missing"),
        ("A" * (audio.MOST_BYTES * 4 // 3 + 8), "25 MiB are the most"),
    ],
    ids=["no base64", "none", "too large"],
)
async def test_what_is_no_recording_is_refused_and_named(
    worker: Worker, fake_engine: str, file: str | None, said: str, stream: bool
) -> None:
    body = {"file": file, "stream": stream}
    _, error = await worker.fail({"route": "/v1/audio/transcriptions", "body": body})
    assert (error.status, error.param, error.type) == (400, "file", "invalid_request_error")
    assert said in str(error)
    json_instead = post(f"{fake_engine}/v1/audio/transcriptions", json={"file": "x"})
    assert json_instead.status_code == 400, "the stand-in takes nothing but a form"


async def test_what_is_no_recording_waits_for_no_engine() -> None:
    async with Worker(f"http://127.0.0.1:{free_port()}") as worker:
        body = {"file": {"path": "a.wav"}}
        _, error = await worker.fail({"route": "/v1/audio/translations", "body": body})
    assert (error.status, error.param) == (400, "file")


# --- the log ---


@pytest.mark.parametrize("stream", [False, True])
async def test_the_log_of_what_was_said_is_lines_of_text(
    fake_engine: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "proxy")
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    given = chat(stream=stream, text="one\ntwo half: \\ud83d")
    given["openai_input"]["messages"][0]["content"] = "line\nline"
    given["openai_input"]["metadata"] = deep
    async with Worker(fake_engine, LOG_CONTENT="1") as worker:
        await worker.ask(given)
    said = [
        record.getMessage() for record in caplog.records if "was answered" in record.getMessage()
    ]
    assert len(said) == 1
    assert said[0].isprintable()
    assert "w0" not in said[0]
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("usage", [True, False])
async def test_a_beam_search_is_logged_with_the_engines_count_or_none(
    usage: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """As vLLM 0.32 answers: each sequence in one event."""
    caplog.set_level(logging.INFO, "proxy")
    chunk = b'data: {"choices":[{"index":%d,"delta":{"content":"I am a tin"}}]}\n\n'
    end = b'data: {"choices":[],"usage":{"prompt_tokens":16,"completion_tokens":10}}\n\n'
    given = chat()
    given["openai_input"]["use_beam_search"] = True
    async with worker_of(Says(chunk % 0 + chunk % 1 + end * usage + DONE)) as worker:
        await worker.ask(given)
        assert worker.handler.figures.tokens == (10 if usage else 2)
    (line,) = [r.getMessage() for r in caplog.records if r.getMessage().startswith("job ")]
    assert ("10 tokens" in line) == usage
    assert "2 tokens" not in line
