"""Answers of `/v1/messages` that fail, seen by Anthropic's own client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import psutil
import pytest

from tests.conftest import Start
from tests.endpoint import Platform
from tests.processes import Worker

#: Slow enough for the engine to be killed in the middle.
TOKENS, RATE = 40, 20


@pytest.fixture
def client(platform: Platform) -> Iterator[anthropic.Anthropic]:
    url = f"{platform.url}/openai"
    with anthropic.Anthropic(base_url=url, auth_token="k", max_retries=0) as one:
        yield one


def asked(**fake: Any) -> dict[str, Any]:
    question: dict[str, Any] = {"model": "tiny", "max_tokens": TOKENS}
    question["messages"] = [{"role": "user", "content": "x"}]
    return question | {"extra_body": {"fake": fake}}


def read(
    client: anthropic.Anthropic, seen: Callable[[str], None] = lambda _text: None, **fake: Any
) -> str:
    """The text of a stream, which `seen` is told while it comes."""
    text = ""
    with client.messages.stream(**asked(**fake)) as stream:
        for piece in stream.text_stream:
            text += piece
            seen(text)
    return text


def test_an_answer(serve: Start, client: anthropic.Anthropic) -> None:
    serve()
    assert read(client, tokens=3) == " w0 w1 w2"
    (block,) = client.messages.create(**asked(tokens=3)).content
    assert block.type == "text"
    assert block.text == " w0 w1 w2"


def test_a_stream_that_ends_with_its_engine(serve: Start, client: anthropic.Anthropic) -> None:
    worker = serve()

    def kill(text: str) -> None:
        if text.endswith(" w2"):
            psutil.Process(worker.engine_pid()).kill()

    with pytest.raises(anthropic.APIStatusError, match="the engine ended in the middle") as caught:
        read(client, kill, rate=RATE)
    assert caught.value.type == "api_error"
    assert "answers of this route cannot be gone on with" in str(caught.value)


@pytest.mark.parametrize(
    ("fake", "kind", "why"),
    [
        ({"cut_after": 3}, "api_error", "broke off"),
        ({"hang_after": 3}, "timeout_error", "nothing"),
        ({"error_after": 3}, "InternalServerError", "EngineCore encountered an issue"),
    ],
)
def test_a_stream_that_breaks_off(
    serve: Start, client: anthropic.Anthropic, fake: dict[str, Any], kind: str, why: str
) -> None:
    serve(REQUEST_IDLE_TIMEOUT="1")
    seen: list[str] = []
    with pytest.raises(anthropic.APIStatusError, match=why) as caught:
        read(client, seen.append, **fake)
    assert (seen[-1], caught.value.type) == (" w0 w1 w2", kind)


@pytest.fixture
def worker(serve: Start) -> Worker:
    return serve()


def test_an_error_before_the_first_token_has_its_status(
    worker: Worker, client: anthropic.Anthropic
) -> None:
    """And says why, whether the answer was to stream or not."""
    del worker
    for ask in (
        lambda **fake: client.messages.create(**asked(**fake)),
        lambda **f: read(client, **f),
    ):
        with pytest.raises(anthropic.BadRequestError) as caught:
            ask(status=400, message="too long")
        assert caught.value.api_message == "too long"
        with pytest.raises(anthropic.NotFoundError):
            ask(status=404)
    with pytest.raises(anthropic.BadRequestError, match="fake: "):
        client.messages.create(**asked(nonsense=1))
