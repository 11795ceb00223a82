"""Both ends of the pipe: what the proxy writes is what the supervisor reads."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
import uvloop

from supervisor.link.figures import Figures
from supervisor.link.journal import Journal, read_some
from supervisor.link.report import Report, inherited
from tests.client import PATIENCE


@contextmanager
def pipe() -> Iterator[tuple[int, Report]]:
    """The supervisor's end, and the proxy's."""
    ours, its = os.pipe()
    os.set_blocking(ours, False)
    report = Report(its)
    try:
        yield ours, report
    finally:
        report.close()
        os.close(ours)


def test_what_is_said_arrives() -> None:
    kept = Journal()
    with pipe() as (ours, report):
        report.taken({"id": "a", "input": {"prompt": "é\n"}})
        report.taken({"id": "b", "input": 1})
        report.taken({"id": "c", "input": 1})
        report.begun("b")
        report.ended("c")
        report.figures(Figures(failed=5, tokens=7))
        report.cause("two\nlines")
        read_some(ours, kept)
        assert (kept.figures.jobs, kept.figures.taken, kept.figures.tokens) == (2, 3, 7)
        assert kept.cause == "two lines"

        kept.proxy_ended()
        assert kept.cause is None
        descriptor = os.memfd_create("jobs")
        os.write(descriptor, kept.left())
        os.lseek(descriptor, 0, os.SEEK_SET)
        assert [(one.id, one.job) for one in inherited(descriptor)] == [
            ("a", {"id": "a", "input": {"prompt": "é\n"}}),
            ("b", None),
        ]

        report.figures(Figures(failed=1, tokens=2))
        read_some(ours, kept)
        assert (kept.figures.failed, kept.figures.tokens) == (6, 9), "totals of both proxies"


def test_a_suspect_that_is_alone_is_told_of_until_it_is_not() -> None:
    kept = Journal()
    with pipe() as (ours, report):
        report.alone("a")
        read_some(ours, kept)
        assert kept.suspect == "a"
        report.begun("a")
        report.alone(None)
        read_some(ours, kept)
        assert kept.suspect is None


async def test_a_supervisor_that_does_not_read_holds_nothing_up() -> None:
    """Once it is open: what the pipe does not take waits here."""
    kept = Journal()
    with pipe() as (ours, report):
        await report.open()
        for number in range(20):
            report.taken({"id": str(number), "input": "x" * 100_000})
        async with asyncio.timeout(PATIENCE):
            while kept.figures.jobs < 20:
                read_some(ours, kept)
                await asyncio.sleep(0)


async def test_figures_are_reported_again_and_again() -> None:
    kept, figures = Journal(), Figures()
    with pipe() as (ours, report):
        repeating = asyncio.create_task(report.repeat(figures))
        async with asyncio.timeout(PATIENCE):
            for count in (1, 2):
                figures.tokens = count
                while kept.figures.tokens != count:
                    read_some(ours, kept)
                    await asyncio.sleep(0.01)
        repeating.cancel()


def test_a_supervisor_that_is_gone_is_no_fault() -> None:
    ours, its = os.pipe()
    report = Report(its)
    os.close(ours)
    report.taken({"id": "a"})
    report.close()
    report.ended("a")


def test_without_a_supervisor_nothing_is_said() -> None:
    report = Report(None)
    report.taken({"id": "a"})
    report.figures(Figures())
    report.close()
    assert list(inherited(None)) == []


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_its_end_closes_its_own_descriptor_alone(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    """Another thread may be given the number as soon as it is free: nobody may close it again."""
    over = threading.Event()
    lost: list[OSError] = []

    def connect() -> None:
        while not over.is_set():
            one = socket.socket()
            try:
                one.close()
            except OSError as reason:
                lost.append(reason)

    async def report() -> None:
        for _ in range(1000):
            with pipe() as (_, one):
                await one.open()
                one.close()
                await asyncio.sleep(0.0003)

    before = psutil.Process().num_fds()
    threads = [threading.Thread(target=connect) for _ in range(3)]
    for each in threads:
        each.start()
    try:
        run(report())
    finally:
        over.set()
        for each in threads:
            each.join()
    assert lost == []
    assert psutil.Process().num_fds() < before + 10, "libuv keeps two of its own"


def test_a_job_whose_report_was_damaged_is_no_fault_of_the_others() -> None:
    kept = Journal()
    kept.feed(b'+a {"id": "a"}\n+b {"id": }\n')
    descriptor = os.memfd_create("jobs")
    os.write(descriptor, kept.left())
    os.lseek(descriptor, 0, os.SEEK_SET)
    assert [(one.id, one.job) for one in inherited(descriptor)] == [("a", {"id": "a"}), ("b", None)]
