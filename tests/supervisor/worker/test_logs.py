"""The log: bytes unchanged, our lines on lines of their own, and nobody ever waits."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator

import pytest

from supervisor.worker.logs import ChildLog, LogSink, SinkHandler, Tail


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_the_tail_joins_pieces_and_forgets_the_oldest() -> None:
    tail = Tail(lines=2)
    for piece in (b"one\ntw", b"o\nthree", b"\r\nfo", b"ur"):
        tail.feed(piece)
    assert tail.lines() == ["two", "three", "four"]


def test_our_lines_begin_a_line(pipe: tuple[int, int]) -> None:
    sink = LogSink(pipe[1])
    sink.write(b"no newline")
    handler = SinkHandler(sink)
    handler.emit(logging.makeLogRecord({"msg": "ours", "levelname": "INFO"}))
    sink.flush(5)
    first, second, rest = os.read(pipe[0], 1000).split(b"\n")
    assert (first, rest) == (b"no newline", b"")
    assert second.endswith(b"INFO supervisor: ours")


def test_a_reader_that_sleeps_makes_nobody_wait(pipe: tuple[int, int]) -> None:
    """60 MB go into a pipe that nobody reads; what is too much is dropped, and said."""
    sink = LogSink(pipe[1])
    began = time.monotonic()
    for _ in range(600):
        sink.write(b"x" * 99_999 + b"\n")
    assert time.monotonic() - began < 10
    read = []
    while not sink.flush(0.001):
        read.append(os.read(pipe[0], 1 << 20))
    assert b"bytes of this log were dropped" in b"".join(read)


def test_a_relay_keeps_the_tail_and_passes_everything_on(pipe: tuple[int, int]) -> None:
    sink = LogSink(pipe[1])
    relay = ChildLog(sink)
    os.write(relay.write_fd, b"\xff raw\nlast")
    relay.spawned()
    relay.join(5)
    sink.flush(5)
    assert os.read(pipe[0], 100) == b"\xff raw\nlast"
    assert relay.tail.lines() == ["\ufffd raw", "last"]
