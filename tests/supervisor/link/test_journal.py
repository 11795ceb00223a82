"""What the supervisor knows of a proxy by the lines that it writes."""

from __future__ import annotations

import os

import pytest

from supervisor.link import journal
from supervisor.link.journal import Journal


def test_the_totals_are_those_of_all_proxies() -> None:
    kept = Journal()
    kept.feed(b'+a {}\n+b {}\n-b\n={"failed": 3, "tokens": 7}\n')
    assert kept.works
    kept.proxy_ended()
    assert not kept.works
    kept.feed(b'+c {}\n={"failed": 1, "tokens": 2}\n')
    figures = kept.figures
    assert (figures.failed, figures.tokens) == (4, 9)
    assert (figures.taken, figures.jobs) == (kept.taken, kept.in_hand) == (3, 2), "told one by one"


def test_a_cause_is_that_of_the_present_proxy() -> None:
    kept = Journal()
    kept.feed("!the GPU is löst\n".encode())
    assert kept.cause == "the GPU is löst"
    kept.proxy_ended()
    assert kept.cause is None


def test_a_pipe_is_read_until_its_other_end_is_closed() -> None:
    kept = Journal()
    ours, its = os.pipe()
    os.set_blocking(ours, False)
    assert journal.read_some(ours, kept), "nothing is there yet"
    os.write(its, b"+a {}\n")
    assert journal.read_some(ours, kept)
    assert kept.figures.jobs == 1
    os.close(its)
    assert not journal.read_some(ours, kept)
    os.close(ours)


def test_a_suspect_is_alone_until_its_output_comes() -> None:
    """And a while longer where it ended without: the end of the engine is told to it first."""
    now = [100.0]
    kept = Journal(clock=lambda: now[0])
    assert kept.suspect is None
    kept.feed(b"+a {}\n~a\n")
    assert kept.suspect == "a"
    kept.feed(b"~\n-a\n")
    now[0] += 4
    assert kept.suspect == "a"
    now[0] += 2
    assert kept.suspect is None
    kept.feed(b"~b\n~\n*b\n")
    assert kept.suspect is None, "it has given output"
    kept.feed(b"~c\n*b\n~\n~d\n")
    assert kept.suspect == "d"
    kept.proxy_ended()
    assert kept.suspect is None


def test_lines_come_in_pieces_and_half_a_line_of_a_killed_proxy_is_dropped() -> None:
    kept = Journal()
    for byte in b"+a {}\n*a\n":
        kept.feed(bytes([byte]))
    assert kept.left() == b"*a\n"
    kept.feed(b"+b {")
    kept.proxy_ended()
    kept.feed(b"-a\n")
    assert kept.left() == b""


def test_jobs_beyond_what_is_kept_are_only_told_of() -> None:
    kept = Journal()
    large = b"{" + b"x" * (journal.KEPT_MOST // 2) + b"}"
    kept.feed(b"+a " + large + b"\n+b " + large + b"\n")
    assert kept.left().startswith(b"+a {x")
    assert kept.left().endswith(b"\n*b\n")
    kept.feed(b"-a\n+c " + large + b"\n")
    assert kept.left().count(b"\n+c {x") == 1, "there is room again"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"?",
        b"hello",
        b"\xff\xfe\x00",
        b"+",
        b"+a",
        b"+a b {}",
        b"+a [1]",
        b"+ {}",
        b"+\xff {}",
        b"*\xff",
        b"-\xff",
        b"~\xff",
        b"=",
        b"={",
        b"=[]",
        b"=null",
        b'={"jobs": "many"}',
        b'={"jobs": 1.5}',
        b'={"jobs": true}',
        b'={"a figure of a later version": 1}',
        b"=" + b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_report_is_dropped_and_told_of(
    line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Journal()
    kept.feed(b'+a {"id": "a"}\n' + line + b'\n={"failed": 2}\n')
    assert (kept.figures.jobs, kept.figures.failed) == (1, 2)
    (told,) = caplog.messages
    assert told.startswith(f"a line of the proxy's that is no report is dropped: {len(line)} bytes")
    assert "hello" not in told, "it may hold what a caller sent"


def test_a_job_that_is_told_of_twice_is_kept_once() -> None:
    kept = Journal()
    large = b'{"x": "' + b"x" * (journal.KEPT_MOST // 2) + b'"}'
    for _ in range(3):
        kept.feed(b"+a " + large + b"\n")
    assert kept.left() == b"+a " + large + b"\n"
