"""What a child prints: passed on as it is, its last lines kept."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.worker.logs import LogSink
from supervisor.worker.logs.access import Access
from supervisor.worker.logs.plain import Plain
from supervisor.worker.logs.speaker import Speaker
from supervisor.worker.process.output import Output, Tail, Unsigned
from tests.client import PATIENCE


def test_the_tail_joins_pieces_and_forgets_the_oldest() -> None:
    tail = Tail(lines=2)
    for piece in (b"one\ntw", b"o\nthree", b"\r\nfo", b"ur"):
        tail.feed(piece)
    assert tail.lines() == ["two", "three", "four"]


def test_everything_is_passed_on_and_the_tail_kept() -> None:
    read, write = os.pipe()
    sink = LogSink(write)
    output = Output(sink)
    os.write(output.write_fd, b"\xff raw\nlast")
    assert not output.over
    output.spawned()
    output.join(PATIENCE)
    assert output.over
    sink.flush(60)
    assert os.read(read, 100) == b"\xff raw\nlast"
    assert output.tail.lines() == ["\ufffd raw", "last"]
    os.close(read)


def test_no_secret_of_a_start_is_passed_on_however_it_comes() -> None:
    """A line of arguments may come in pieces, cut anywhere, or without an end."""
    line = b"INFO 11-26 [api_utils.py:286] non-default args: {'x': {'api_key': 'Vf9qLw2xRt'}}\n"
    lines = b"\xff\rLoading: 10%\rLoading: 20%" + b"\n" + line + b"own mine-1234"
    masked = lines.replace(b"Vf9qLw2xRt", b"***").replace(b"mine-1234", b"***")
    for folds, cut in itertools.product((False, True), range(0, len(lines), 3)):
        read, write = os.pipe()
        sink = LogSink(write)
        sink.secrets = ("mine-1234",)
        shown = Plain(sink, Access(pytest.fail) if folds else None)
        for piece in (lines[:cut], lines[cut:]):
            shown.feed(piece, masks=True)  # a pipe may join what was written apart
        shown.end()
        sink.flush(60)
        assert os.read(read, 1000) == masked
        os.close(read)
        os.close(write)


def test_a_bar_of_progress_does_not_wait_for_its_end() -> None:
    read, write = os.pipe()
    sink = LogSink(write)
    output = Output(sink, lambda _: None)
    child = os.dup(output.write_fd)
    output.spawned()
    os.write(child, b"\rLoading: 10%")
    assert os.read(read, 100) == b"\rLoading: 10%"
    os.close(child)
    output.join(PATIENCE)
    os.close(read)


def test_what_comes_after_the_start_is_passed_on_as_it_is() -> None:
    read, write = os.pipe()
    sink = LogSink(write)
    output = Output(sink, lambda _: None)
    output.observe = None
    child = os.dup(output.write_fd)
    output.spawned()
    os.write(child, b"INFO api_key='x' half of a")
    assert os.read(read, 100) == b"INFO api_key='x' half of a"
    os.close(child)
    output.join(PATIENCE)
    os.close(read)


@given(
    parts=st.lists(st.sampled_from([b"~ab ", b"~a", b"~", b"b", b"x\n", b"~~ab "]), max_size=20),
    cuts=st.lists(st.integers(0, 60), max_size=9),
)
def test_a_signature_is_taken_out_wherever_the_stream_is_cut(
    parts: list[bytes], cuts: list[int]
) -> None:
    whole = b"".join(parts)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    unsigned, shown = Unsigned(b"~ab "), b""
    for begin, end in itertools.pairwise(places):
        shown += unsigned.feed(whole[begin:end])
    at_once = Unsigned(b"~ab ")
    assert shown + unsigned.rest() == at_once.feed(whole) + at_once.rest()


def test_lines_are_heard_with_their_signature_and_shown_without() -> None:
    tail = Tail(signature="~ab ")
    tail.feed(b"~ab one\n")
    heard: list[str] = []
    tail.listen(heard.append)
    tail.feed(b"(x) ~ab two\r\nth")
    tail.feed(b"ree\n")
    assert heard == ["~ab one", "(x) ~ab two", "three"]
    assert tail.lines() == ["one", "(x) two", "three"]


def test_what_is_passed_on_has_no_signature() -> None:
    read, write = os.pipe()
    sink = LogSink(write)
    seen: list[bytes] = []
    output = Output(sink, seen.append, Speaker("engine", "~ab "))
    os.write(output.write_fd, b"~ab one\n~ab two\n~a")
    output.spawned()
    output.join(PATIENCE)
    sink.flush(60)
    assert os.read(read, 100) == b"".join(seen) == b"one\ntwo\n~a"
    os.close(read)
