"""What a process prints as text: as it came, but for what is folded."""

from __future__ import annotations

import os
import random

from supervisor.worker.logs.access import Access
from supervisor.worker.logs.plain import Plain
from supervisor.worker.logs.sink import LogSink
from tests.client import PATIENCE

ACCESS = b'INFO:     127.0.0.1:1 - "GET /v1/models HTTP/1.1" 200 OK\n'
LOST = ACCESS.replace(b"200 OK", b"404 Not Found")


def shown(pieces: list[bytes], told: list[str]) -> bytes:
    read, write = os.pipe()
    sink = LogSink(write)
    plain = Plain(sink, Access(told.append))
    for piece in pieces:
        plain.feed(piece, masks=False)
    plain.end()
    sink.flush(PATIENCE)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        return file.read()


def test_only_what_is_folded_is_left_out_wherever_the_stream_is_cut() -> None:
    before, after = b"\xff one\r\n\r 10%\x85\x0c\r 20%\n\n", b"half"
    text = before + ACCESS + LOST + ACCESS + after
    dice = random.Random(1)  # noqa: S311 - to be repeated
    for _ in range(50):
        places = sorted(dice.randrange(len(text)) for _ in range(4))
        pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
        told: list[str] = []
        assert shown(pieces, told) == before + LOST + after
        assert told == ["the engine answered 2 requests in 0 s: 2 GET /v1/models 200"]


def test_the_beginning_of_a_line_waits_a_moment_for_its_end() -> None:
    now = [100.0]
    read, write = os.pipe()
    sink = LogSink(write)
    plain = Plain(sink, Access(lambda _: None), lambda: now[0])
    plain.feed(b"half", masks=False)
    plain.look()
    assert plain.left is not None
    now[0] += plain.left
    plain.look()
    assert os.read(read, 100) == b"half"
    assert plain.left is None
    plain.feed(b" of it\n", masks=False)
    assert os.read(read, 100) == b" of it\n"
    os.close(read)
    os.close(write)
