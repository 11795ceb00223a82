"""Exports that fail are told of once, with the reason."""

from __future__ import annotations

import logging

import pytest

from supervisor.errors import OutOfResources
from supervisor.telemetry.exporting import Exports


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


def test_what_was_noted_of_the_last_request_is_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    """The library's own last line sums up its tries, and says nothing of why."""
    exports = Exports(logging.getLogger("proxy"), "traces", "http://c")
    for note in ("Connection refused", ""):
        exports.note(note)
        logging.getLogger("opentelemetry.exporter.x").error("due to timeout or shutdown")
        exports.made(arrived=False)
        exports.made(arrived=True)
    lost = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert lost == [
        "the traces are lost until http://c takes them: Connection refused",
        "the traces are lost until http://c takes them: due to timeout or shutdown",
    ]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (OutOfResources("no more threads"), "no more threads"),
        (OSError(24, "Too many open files"), "[Errno 24] Too many open files"),
        (ValueError("odd\n value"), "ValueError: odd value"),
        (ValueError(300 * "x"), f"ValueError: {188 * 'x'}"),
    ],
)
def test_what_could_not_be_tried_is_a_failed_export(
    caplog: pytest.LogCaptureFixture, fault: Exception, why: str
) -> None:
    exports = Exports(logging.getLogger("proxy"), "traces", "http://c")
    exports.failed(fault)
    exports.failed(fault)
    [record] = caplog.records
    assert record.getMessage() == f"the traces are lost until http://c takes them: {why}"
    assert record.exc_info is None
