"""The log: bytes unchanged, our lines on lines of their own, and nobody ever waits."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator

import pytest

from supervisor.worker.logs.sink import LogSink, SinkHandler
from tests.client import PATIENCE


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_our_lines_begin_a_line(pipe: tuple[int, int]) -> None:
    sink = LogSink(pipe[1])
    sink.write(b"no newline")
    handler = SinkHandler(sink)
    handler.emit(
        logging.makeLogRecord({"msg": "ours \udcff", "levelname": "INFO", "name": "supervisor"})
    )
    sink.flush(PATIENCE)
    first, second, rest = os.read(pipe[0], 1000).split(b"\n")
    assert (first, rest) == (b"no newline", b"")
    assert second.endswith(rb"INFO supervisor: ours \udcff"), "what is no text is shown as bytes"


def test_a_reader_that_sleeps_makes_nobody_wait(pipe: tuple[int, int]) -> None:
    """60 MB go into a pipe that nobody reads; what is too much is dropped, and said."""
    sink = LogSink(pipe[1])
    began = time.monotonic()
    for _ in range(600):
        sink.write(b"x" * 99_999 + b"\n")
    assert time.monotonic() - began < PATIENCE  # it would be for ever
    read = []
    while not sink.flush(0.001):
        read.append(os.read(pipe[0], 1 << 20))
    assert b"bytes of this log were dropped" in b"".join(read)
