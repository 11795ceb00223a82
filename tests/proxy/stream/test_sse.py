"""Cutting a byte stream at event borders, with the standard's own oddities."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import AnswerTooLarge
from proxy.stream import sse


def cut(*pieces: bytes) -> list[bytes]:
    splitter = sse.Splitter()
    events = [event for piece in pieces for event in splitter.feed(piece)]
    return events + splitter.finish()


def chunk(**delta: object) -> bytes:
    data = {"choices": [{"index": 0, "delta": delta}]}
    return (
        b"data: " + json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"
    )


def test_events_are_whole_whatever_the_pieces() -> None:
    assert cut(b"data: a\n\nda", b"ta: b", b"\n", b"\ndata: [DONE]\n\n") == [
        b"data: a\n\n",
        b"data: b\n\n",
        b"data: [DONE]\n\n",
    ]


def test_a_last_event_without_its_blank_line_is_not_lost() -> None:
    assert cut(b"data: a\n\ndata: b") == [b"data: a\n\n", b"data: b\n\n"]
    assert cut(b"data: a\n\ndata: b\n") == [b"data: a\n\n", b"data: b\n\n"]


def test_carriage_returns_are_line_ends() -> None:
    assert cut(b"data: a\r", b"\n\r", b"\ndata: b\r\n\r\n") == [b"data: a\n\n", b"data: b\n\n"]
    assert cut(b"data: a\r\rdata: b\r\r") == [b"data: a\n\n", b"data: b\n\n"]


def test_extra_blank_lines_are_no_events() -> None:
    assert cut(b"\n\n\n\ndata: a\n\n\n\n") == [b"data: a\n\n"]


@pytest.mark.parametrize("size", [10, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("piece", [1000, 65_537])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b""])
def test_a_long_event_is_whole(size: int, piece: int, end: bytes) -> None:
    """Also where its border is torn, and where its line ends are at the borders of pieces."""
    event = b"data: " + b"x" * size
    stream = event + b"\ndata: more" + end + b"data: b\n\n"
    pieces = [stream[start : start + piece] for start in range(0, len(stream), piece)]
    if not end:
        assert cut(*pieces) == [event + b"\ndata: moredata: b\n\n"]
    else:
        assert cut(*pieces) == [event + b"\ndata: more\n\n", b"data: b\n\n"]


def test_an_event_that_never_ends_is_refused() -> None:
    splitter = sse.Splitter()
    for _ in range(20):
        splitter.feed(b"x" * 1_000_000)
    with pytest.raises(AnswerTooLarge, match="more than the 20 MB"):
        splitter.feed(b"x" * 1_000_000)


@pytest.mark.parametrize(
    ("event", "comment"),
    [
        (b": keep-alive\n\n", True),
        (b": a\n: b\n\n", True),
        (b": a\ndata: b\n\n", False),
        (b"data: b\n\n", False),
    ],
)
def test_comments(event: bytes, comment: bool) -> None:
    assert sse.is_comment(event) is comment


def test_an_event_behind_a_comment_counts() -> None:
    assert sse.tokens(b": a\n" + chunk(content="x")) == 1


@pytest.mark.parametrize(
    ("event", "done", "last"),
    [
        (b"data: [DONE]\n\n", True, False),
        (b"data:[DONE]\n\n", True, False),
        (b'data: {"choices":[{"text":"[DONE]","finish_reason":null}]}\n\n', False, False),
        (b'data: {"choices":[{"text":"x","finish_reason":"stop"}]}\n\n', False, True),
        (b'data: {"choices":[],"usage":{}}\n\n', False, True),
        (b'event: response.completed\ndata: {"type":"response.completed"}\n\n', False, True),
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', False, True),
    ],
)
def test_the_end_and_what_comes_before_it(event: bytes, done: bool, last: bool) -> None:
    assert (sse.is_done(event), sse.is_last_but_done(event)) == (done, last)


def test_named_events_stay_whole() -> None:
    event = b'event: response.output_text.delta\ndata: {"delta":"x"}\n\n'
    assert cut(event) == [event]
    assert sse.payload(event) == b'{"delta":"x"}'
    assert sse.tokens(event) == 1


def test_data_of_several_lines_is_joined() -> None:
    assert sse.payload(b"data: a\ndata:b\n\n") == b"a\nb"


TEXTS = st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))


@given(texts=st.lists(TEXTS, min_size=1, max_size=8), data=st.data(), crlf=st.booleans())
def test_no_cut_loses_or_changes_anything(
    texts: list[str], data: st.DataObject, crlf: bool
) -> None:
    """Whatever the pieces, the events' data comes out as it went in, also inside a character."""
    newline = b"\r\n" if crlf else b"\n"
    stream = b"".join(b"data: " + text.encode() + newline * 2 for text in texts)
    borders = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted))
    ends = [0, *borders, len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(ends)]
    assert [sse.payload(event).decode() for event in cut(*pieces)] == texts


@pytest.mark.parametrize(
    ("event", "count"),
    [
        (chunk(content="hello"), 1),
        (chunk(role="assistant", content=""), 0),
        (chunk(content="", tool_calls=[{"index": 0}]), 1),
        (chunk(reasoning_content="hm"), 1),
        (b'data: {"choices":[],"usage":{"completion_tokens":3}}\n\n', 0),
        (b'data: {"choices": [], "usage": {}}\n\n', 0),
        (b'data: {"choices":[{"text":"a","token_ids":[1,2,3]}]}\n\n', 3),
        (b'data: {"choices":[{"text":"","token_ids":[7]}]}\n\n', 1),
        (b'data: {"choices":[{"text":"a","token_ids":null}]}\n\n', 1),
        (b'data: {"choices":[{"text":""}]}\n\n', 0),
        (b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n', 0),
        (chunk(content=None, role="assistant"), 0),
        (chunk(role="assistant"), 0),
        (chunk(content='"'), 1),
        (b'data: {"type":"content_block_delta","delta":{"text":"x"}}\n\n', 1),
        (b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n', 0),
        (b"data: [DONE]\n\n", 0),
        (b": keep-alive\n\n", 0),
        (b'data: {"error":{"message":"x"}}\n\n', 0),
    ],
)
def test_tokens_of_an_event(event: bytes, count: int) -> None:
    assert sse.tokens(event) == count


@pytest.mark.parametrize(
    ("event", "count"),
    [
        (b'data: {"choices":[],"usage":{"completion_tokens":3}}\n\n', 3),
        (b'data: {"choices": [ ], "usage": {"completion_tokens": 0}}\n\n', 0),
        (b'data: {"choices":[],"usage":null}\n\n', None),
        (b'data: {"choices":[],"usage":{"completion_tokens":"x"}}\n\n', None),
        (b'data: {"choices":[{"text":"\\"usage\\""}],"usage":{"completion_tokens":3}}\n\n', None),
        (chunk(content='"usage" and "choices":[]'), None),
    ],
)
def test_the_usage_at_the_end_of_a_stream(event: bytes, count: int | None) -> None:
    assert sse.total([chunk(content="a"), event, b"data: [DONE]\n\n"]) == count
    assert sse.total([event]) == count
    assert sse.total([]) is None


def test_an_error_inside_a_stream_is_seen() -> None:
    event = b'data: {"error": {"message": "broke", "code": 400}}\n\n'
    body = sse.error(event)
    assert body is not None
    assert sse.status(body) == 400
    assert sse.status(b'{"error": "text"}') == 500
    assert sse.error(chunk(content='says "error" only')) is None
    assert sse.error(chunk(content="fine")) is None
