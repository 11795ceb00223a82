"""The last of the log."""

from __future__ import annotations

import string
import threading

import pytest

from supervisor.link import log_lines
from supervisor.worker.page.recent import Reader, Recent


def reader(*pieces: bytes, secrets: tuple[str, ...] = ()) -> tuple[Recent, Reader]:
    recent = Recent(lambda: secrets)
    for piece in pieces:
        recent.feed(piece)
    return recent, Reader(recent)


def test_lines_come_once_and_whole() -> None:
    recent, read = reader(b"one\ntw", b"o\nthr")
    assert read.lines() == ["one", "two"]
    assert read.lines() == []
    recent.feed(b"ee\n")
    assert read.lines() == ["three"]


def test_each_reader_has_a_place_of_its_own() -> None:
    recent, read = reader(b"one\n")
    assert read.lines() == ["one"]
    recent.feed(b"two\n")
    assert Reader(recent).lines() == ["one", "two"]
    assert read.lines() == ["two"]


def test_of_a_long_log_the_last_whole_lines_are_left() -> None:
    recent, read = reader()
    for number in range(10_000):
        recent.feed(f"line {number} {'x' * 100}\n".encode())
    first, *_, last = read.lines()
    assert first.startswith("line ")
    assert last.startswith("line 9999 ")
    lines = [f"line {number} {'x' * 100}" for number in range(10_000)]
    recent.feed(b"y" * 1_000_000 + b"\nlast\n")
    assert read.lines() == ["last"], "what is not kept has no rest of a line"
    assert first in lines


def test_many_lines_at_once_are_the_last_ones() -> None:
    _, read = reader(*(b"%d\n" % number for number in range(1000)))
    assert read.lines() == [str(number) for number in range(800, 1000)]


def test_no_secret_no_colour_and_no_old_state_of_a_bar_is_shown() -> None:
    _, read = reader(
        b"\x1b[32mINFO\x1b[0m \x1b]0;title\x07key Zq81mVbT0pLs\n",
        b"loading  1%\rloading 50%\rloading 99%\r\n",
        b"token=sk-Zq81mVbT0pLsWc99\n",
        b"bytes \xff\xfe\n",
        secrets=("Zq81mVbT0pLs",),
    )
    coloured, bar, token, odd = read.lines()
    assert coloured == "INFO key ***"
    assert bar == "loading 99%"
    assert "Zq81" not in token
    assert odd == "bytes \ufffd\ufffd"


def test_markup_stays_text() -> None:
    _, read = reader(b"<script>alert(1)</script>\n")
    assert read.lines() == ["<script>alert(1)</script>"]


def of_json(message: str, **more: str) -> bytes:
    """A line of the log with LOG_FORMAT=json."""
    return log_lines.as_object(5.0, "ERROR", "engine", message, more).encode() + b"\n"


def test_an_object_is_shown_as_a_line_of_text() -> None:
    message = "no:\n  \x1b[31mred\x1b[0m \u4f60 token=sk-Zq81mVbT0pLsWc99 Zq81mVbT0pLs"
    _, read = reader(of_json(message, process="EngineCore"), secrets=("Zq81mVbT0pLs",))
    [line] = read.lines()
    assert line == f"{log_lines.stamp(5.0)} ERROR engine: no:\n  red \u4f60 token=*** ***"


@pytest.mark.parametrize("frames", [60, 400, 1200])
def test_a_long_traceback_keeps_its_end_which_says_why(frames: int) -> None:
    lines = [f'  File "/opt/core.py", line {n}, in \u4f60' for n in range(frames)]
    message = "\n".join(["it died", *lines, "RuntimeError: CUDA error: out of memory"])
    before = [b"before %d\n" % number for number in range(100)]
    _, read = reader(*before, of_json(message), b"after\n")
    *first, line, last = read.lines()
    assert first == [f"before {number}" for number in range(100)]
    assert line.startswith(f"{log_lines.stamp(5.0)} ERROR engine: it died\n  File ")
    assert " ... " in line
    assert line.endswith("\nRuntimeError: CUDA error: out of memory")
    assert len(line) < 2100
    assert last == "after"


def test_a_long_line_of_text_keeps_its_end_too() -> None:
    _, read = reader(b"begin " + b"x" * 50_000 + b" end\n")
    [line] = read.lines()
    assert line.startswith("begin x")
    assert line.endswith("x end")
    assert len(line) < 2100


@pytest.mark.parametrize("length", [32, 1800])
@pytest.mark.parametrize("place", [*range(300, 3000, 37), *range(17_000, 20_000, 37)])
def test_no_part_of_a_secret_is_shown_where_a_long_message_is_cut(place: int, length: int) -> None:
    secret = "".join(string.ascii_letters[n * n * 7 % 51] for n in range(length))
    message = f"{'- ' * (place // 2)}{secret}{'- ' * ((20_000 - place) // 2)}"
    _, read = reader(of_json(message), message.encode() + b"\n", secrets=(secret,))
    for line in read.lines():
        assert not [n for n in range(length - 4) if secret[n : n + 4] in line]


@pytest.mark.parametrize(
    "line",
    [
        b'{"ts": ' + b"[" * 900 + b"]" * 900 + b', "level": "", "source": "", "message": ""}',
        b'{"ts": "", "level": "", "source": "", "message": 7}',
        b'{"ts": "", "level": "", "source": "", "message": ["a"]}',
        b'{"ts": "", "level": "", "source": "", "message": ["a", "b"]}',
        b'{"message": "a"}',
        b'{"ts": ' + b"9" * 5000 + b"}",
        b"{" * 100_000,
        b'{"\xff": 1}',
        b"{}",
    ],
)
def test_what_only_resembles_an_object_is_a_line_like_any_other(line: bytes) -> None:
    _, read = reader(line[:60_000] + b"\n")
    [shown] = read.lines()
    assert shown[:20] == line[:20].decode(errors="replace")


def test_threads_may_write_while_one_reads() -> None:
    recent, read = reader()

    def write() -> None:
        for _ in range(2000):
            recent.feed(b"a line\n")

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    while any(thread.is_alive() for thread in threads):
        seen += read.lines()
    seen += read.lines()
    assert set(seen) == {"a line"}
