"""The last of the log."""

from __future__ import annotations

import threading

from supervisor.worker.page.recent import Reader, Recent


def reader(*pieces: bytes, secrets: tuple[str, ...] = ()) -> tuple[Recent, Reader]:
    recent = Recent()
    for piece in pieces:
        recent.feed(piece)
    return recent, Reader(recent, lambda: secrets)


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
    assert Reader(recent, tuple).lines() == ["one", "two"]
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
