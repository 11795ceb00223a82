"""Exports that fail are told of once, and hold nobody up."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from supervisor.telemetry.exporting import Exports, within


def test_a_failure_is_told_once_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    exports = Exports(logging.getLogger("proxy"), "traces", "http://c")
    for arrived in (True, False, False, True, True, False):
        if not arrived:
            logging.getLogger("opentelemetry.exporter.x").error("no\n route")
        exports.made(arrived=arrived)
    ours = [record for record in caplog.records if record.name == "proxy"]
    assert [record.getMessage() for record in ours] == [
        "the traces are lost until http://c takes them: no route",
        "http://c takes the traces again",
        "the traces are lost until http://c takes them: no route",
    ]


def test_work_is_waited_for_only_so_long() -> None:
    never = threading.Event()
    began = time.monotonic()
    within(0.1, never.wait)
    assert time.monotonic() - began < 30
    done: list[int] = []
    within(30, lambda: done.append(1))
    assert done == [1]
