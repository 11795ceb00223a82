"""What is put, and said, of weights that do not fit."""

from __future__ import annotations

import json
import logging
import os
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supervisor.catalog import versions
from supervisor.command import plan
from supervisor.models import disk
from supervisor.worker.engine import fit
from supervisor.worker.lifecycle import CannotFit, Event
from supervisor.worker.logs import LogSink
from supervisor.worker.process.launcher import Launcher
from tests.supervisor.models.sized import model
from tests.supervisor.worker.closing import closed

PLAN = plan.make({"MODEL_NAME": "m"}, None)


class Answering(Launcher):
    """A launcher whose processes answer this."""

    def __init__(self, answer: object) -> None:
        self.answer = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.given: Any = None

    async def ask(self, _command: Sequence[str], _env: object, _cwd: str, given: bytes) -> bytes:
        self.given = pickle.loads(given)  # noqa: S301
        return self.answer


async def watched(answer: object) -> list[Event]:
    events: list[Event] = []
    launcher = Answering(answer)
    await fit.watch_plan(PLAN, {"A": "a"}, launcher, events.append)
    assert launcher.given == (PLAN, {"A": "a"})
    return events


async def test_what_cannot_fit_is_an_event() -> None:
    said = {"message": "it cannot", "remedy": "use more", "cannot": True}
    assert await watched(said) == [CannotFit("it cannot; use more")]


async def test_what_may_not_fit_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert await watched({"message": "it may not", "remedy": "use more"}) == []
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.WARNING, "it may not; use more")
    ]


@pytest.mark.parametrize("answer", [None, {"message": "it fits"}, "", "half", {"what": 1}])
async def test_nothing_else_is_said(caplog: pytest.LogCaptureFixture, answer: object) -> None:
    """Not where the process fails either."""
    assert await watched(answer) == []
    assert caplog.text == ""


async def test_the_process_is_told_no_key_of_the_platform() -> None:
    """The engine can read its memory."""
    launcher = Answering(None)
    of_worker = {"RUNPOD_API_KEY": "rpa_of_the_platform", "MODEL_NAME": "m"}
    made = replace(PLAN, environment=of_worker)
    await fit.watch_plan(made, {"A": "a"}, launcher, lambda _event: None)
    assert b"rpa_of_the_platform" not in pickle.dumps(launcher.given)


async def test_a_real_process_finds_it(tmp_path: Path) -> None:
    env = {
        "MODEL_NAME": str(model(tmp_path / "model", {"model.safetensors": 30 << 30})),
        "GPU_MEMORY_GB": "24",
        "BASE_PATH": "/nowhere",
    }
    made = plan.make(env, versions.load("0.32.0"), disk.look(env))
    events: list[Event] = []
    launcher = Launcher(LogSink(os.open(os.devnull, os.O_WRONLY)))
    await fit.watch_plan(made, env, launcher, events.append)
    await closed(launcher)
    (event,) = events
    assert isinstance(event, CannotFit)
    assert "30.0 GiB, cannot fit" in event.cause
