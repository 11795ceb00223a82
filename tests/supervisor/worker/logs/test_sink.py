"""The log: bytes unchanged, our lines on lines of their own, and nobody ever waits."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.worker.logs.sink import LogSink, SinkHandler
from tests.client import PATIENCE
from tests.processes import unread, until


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


def test_an_output_that_does_not_block_gets_every_line_whole(pipe: tuple[int, int]) -> None:
    """Who made the pipe may have said so: it is full for a moment, and nobody is gone."""
    os.set_blocking(pipe[1], False)
    sink = LogSink(pipe[1])
    lines = [b"line %d %s\n" % (number, b"x" * 40) for number in range(4000)]
    for line in lines:
        sink.write(line)
    read = b""
    while not read.endswith(lines[-1]):
        read += os.read(pipe[0], 5000)
    assert read == b"".join(lines)
    assert sink.flush(PATIENCE)


def test_an_output_that_nobody_reads_and_that_does_not_block_makes_nobody_wait(
    pipe: tuple[int, int],
) -> None:
    os.set_blocking(pipe[1], False)
    sink = LogSink(pipe[1])
    for _ in range(600):
        sink.write(b"x" * 99_999 + b"\n")
    assert not sink.flush(0.001)
    read = []
    while not sink.flush(0.001):
        read.append(os.read(pipe[0], 1 << 20))
    assert b"bytes of this log were dropped: nobody read them\n" in b"".join(read)


@pytest.mark.parametrize("blocks", [True, False])
def test_what_is_given_up_is_counted_and_what_comes_then_begins_a_line(
    tmp_path: Path, blocks: bool
) -> None:
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    write = os.open(tmp_path / "log", os.O_WRONLY | (0 if blocks else os.O_NONBLOCK))
    size = fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    sink = LogSink(write)
    sink.write(b"x" * (size + 1000) + b"\n")
    until(lambda: unread(reader) == size, what="a full pipe")
    os.close(reader)
    assert sink.flush(PATIENCE), "the reader is gone"
    sink.write_line("nobody is there")
    assert sink.flush(PATIENCE)
    reader = os.open(tmp_path / "log", os.O_RDONLY)
    threading.Thread(target=sink.write_line, args=("after",), daemon=True).start()
    read = b""
    while not read.endswith(b"after\n"):
        read += os.read(reader, 1 << 20)
    begun, told, after, rest = read.split(b"\n")
    assert begun == b"x" * size
    dropped = size + 1001 - size + len("nobody is there\n")
    words = rf".* WARNING supervisor: {dropped} bytes of this log were dropped: Broken pipe"
    assert re.fullmatch(words, told.decode())
    assert (after, rest) == (b"after", b"")
    assert sink.flush(PATIENCE)
    os.close(reader)
    os.close(write)
