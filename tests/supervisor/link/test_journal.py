"""Both ends of the pipe: what the proxy writes is what the supervisor reads."""

from __future__ import annotations

import os

from supervisor.link import journal
from supervisor.link.figures import Figures
from supervisor.link.journal import Journal
from supervisor.link.report import Report, left


def through(fd_in: int, kept: Journal) -> None:
    os.set_blocking(fd_in, False)
    journal.read_some(fd_in, kept)


def test_what_is_said_arrives() -> None:
    ours, its = os.pipe()
    report, kept = Report(its), Journal()
    report.taken({"id": "a", "input": {"prompt": "é\n"}})
    report.taken({"id": "b", "input": 1})
    report.taken({"id": "c", "input": 1})
    report.begun("b")
    report.ended("c")
    report.figures(Figures(taken=3, tokens=7))
    report.cause("two\nlines")
    through(ours, kept)
    assert (kept.figures.jobs, kept.figures.taken, kept.figures.tokens) == (2, 3, 7)
    assert kept.cause == "two lines"

    kept.proxy_ended()
    assert kept.cause is None
    descriptor = os.memfd_create("jobs")
    os.write(descriptor, kept.left())
    os.lseek(descriptor, 0, os.SEEK_SET)
    handed = list(left(descriptor))
    assert [(one.id, one.job) for one in handed] == [
        ("a", {"id": "a", "input": {"prompt": "é\n"}}),
        ("b", None),
    ]

    report.figures(Figures(taken=1, tokens=2))
    through(ours, kept)
    assert (kept.figures.taken, kept.figures.tokens) == (4, 9), "totals of both proxies"
    for end in (ours, its):
        os.close(end)


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
    large = b"x" * (journal.KEPT_MOST // 2 + 1)
    kept.feed(b"+a " + large + b"\n+b " + large + b"\n")
    assert kept.left().startswith(b"+x")
    assert kept.left().endswith(b"\n*b\n")
    kept.feed(b"-a\n+c " + large + b"\n")
    assert kept.left().count(b"\n+x") == 1, "there is room again"


def test_without_a_supervisor_nothing_is_said() -> None:
    report = Report(None)
    report.taken({"id": "a"})
    report.figures(Figures())
    assert list(left(None)) == []
