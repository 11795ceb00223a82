"""What is put, and said, of weights that do not fit."""

from __future__ import annotations

import logging
import threading

import pytest

from supervisor.command import plan
from supervisor.doctor import fitting
from supervisor.models.fit import Fit
from supervisor.worker.engine import fit
from supervisor.worker.lifecycle import CannotFit, Event

PLAN = plan.make({"MODEL_NAME": "m"}, None)


async def watched(monkeypatch: pytest.MonkeyPatch, found: Fit | Exception | None) -> list[Event]:
    def look(*_given: object) -> Fit | None:
        assert threading.current_thread().daemon
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(fitting, "at_start", look)
    events: list[Event] = []
    await fit.watch_plan(PLAN, {}, events.append)
    return events


async def test_what_cannot_fit_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await watched(monkeypatch, Fit("it cannot", "use more", cannot=True)) == [
        CannotFit("it cannot; use more")
    ]


async def test_what_may_not_fit_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert await watched(monkeypatch, Fit("it may not", "use more")) == []
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.WARNING, "it may not; use more")
    ]


@pytest.mark.parametrize("found", [None, Fit("it fits"), RuntimeError("a fault of ours")])
async def test_nothing_else_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, found: Fit | Exception | None
) -> None:
    assert await watched(monkeypatch, found) == []
    assert caplog.text == ""
