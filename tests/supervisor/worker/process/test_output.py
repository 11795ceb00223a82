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
