"""What a child prints: passed on as it is, its last lines kept."""

from __future__ import annotations

import os

from supervisor.worker.logs import LogSink
from supervisor.worker.process.output import Output, Tail
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
    output.spawned()
    output.join(PATIENCE)
    sink.flush(60)
    assert os.read(read, 100) == b"\xff raw\nlast"
    assert output.tail.lines() == ["\ufffd raw", "last"]
    os.close(read)


def test_no_secret_of_a_start_is_passed_on_however_it_comes() -> None:
    """A line of arguments may come in pieces, cut anywhere, or without an end."""
    line = b"INFO 11-26 [api_utils.py:286] non-default args: {'x': {'api_key': 'Vf9qLw2xRt'}}\n"
    lines = b"\xff\rLoading: 10%\rLoading: 20%" + b"\n" + line + b"own mine-1234"
    masked = lines.replace(b"Vf9qLw2xRt", b"***").replace(b"mine-1234", b"***")
    for cut in range(0, len(lines), 3):
        read, write = os.pipe()
        sink = LogSink(write)
        sink.secrets = ("mine-1234",)
        seen: list[bytes] = []
        output = Output(sink, seen.append)
        for piece in (lines[:cut], lines[cut:]):
            output._started.write(piece)  # a pipe may join what was written apart
        os.write(output.write_fd, b"")
        output.spawned()
        output.join(PATIENCE)
        sink.flush(60)
        assert os.read(read, 1000) == masked
        os.close(read)
        os.close(write)


def test_a_bar_of_progress_does_not_wait_for_its_end() -> None:
    read, write = os.pipe()
    sink = LogSink(write)
    output = Output(sink, lambda _: None)
    os.write(output.write_fd, b"\rLoading: 10%")
    assert os.read(read, 100) == b"\rLoading: 10%"
    output.spawned()
    output.join(PATIENCE)
    os.close(read)


def test_what_comes_after_the_start_is_passed_on_as_it_is() -> None:
    read, write = os.pipe()
    sink = LogSink(write)
    output = Output(sink, lambda _: None)
    output.observe = None
    os.write(output.write_fd, b"INFO api_key='x' half of a")
    assert os.read(read, 100) == b"INFO api_key='x' half of a"
    output.spawned()
    output.join(PATIENCE)
    os.close(read)
