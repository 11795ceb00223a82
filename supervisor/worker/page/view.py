"""What the page shows, told again whenever it changes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple
from functools import cached_property
from typing import Any

from ...command import explain
from ...command.plan import Plan
from ...diagnosis import slowest
from ..status import Status
from . import addresses, reading, samples
from .recent import Reader, Recent
from .samples import Samples

#: Seconds without a look at the engine's figures, which come every five, after which a sample is
#: taken all the same. One taken between two looks would show that nothing was done.
_UNTOLD_MOST = 2 * samples.EVERY - 0.5


class View:
    """What there is to see of a worker. While nobody looks, samples alone are taken for it.

    Args:
        plan: what is run.
        env: the worker's environment, as the platform made it.
        status: how the worker stands.
        log: the last of the log.
        clock: Unix time.
    """

    def __init__(
        self,
        plan: Plan,
        env: Mapping[str, str],
        status: Status,
        log: Recent,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._plan = plan
        self._env = env
        self._status = status
        self._samples = Samples()
        self._sampled = -math.inf
        self._told: object = None
        self._log = log
        self._clock = clock

    def beat(self) -> None:
        """Called once a second: takes a sample every few of them, of what has been told since."""
        now = self._clock()
        passed = abs(now - self._sampled)
        if passed < samples.EVERY - 0.5:
            return
        told = reading.told(self._status)
        if told is self._told and passed < _UNTOLD_MOST:
            return
        self._sampled, self._told = now, told
        self._samples.take(reading.read(self._status), now)

    def looked_at(self) -> Callable[[], bytes]:
        """For one who begins to look: gives what is new since it gave something last."""
        told: dict[str, Any] = {}
        reader = Reader(self._log)

        def news() -> bytes:
            return self._news(told, reader)

        return news

    def _news(self, told: dict[str, Any], reader: Reader) -> bytes:
        """One event with the parts that have changed; `told` has what they were."""
        parts = {"state": self._state, "start": self._start, "settings": self._settings}
        changed: dict[str, Any] = {
            name: part for name, part in parts.items() if told.get(name) != part
        }
        told.update(changed)
        if new := self._samples.since(told.get("sampled", 0.0)):
            told["sampled"] = new[-1].at
            changed["samples"] = [astuple(sample) for sample in new]
        if lines := reader.lines():
            changed["log"] = lines
        if not changed:
            return b""
        changed["now"] = round(self._clock(), 3)
        return f"data: {json.dumps(changed, separators=(',', ':'))}\n\n".encode()

    @property
    def _state(self) -> Mapping[str, Any]:
        found = self._status.standing.as_json()
        del found["phases"], found["start"]
        return {**found, "ping": self._status.ping}

    @property
    def _start(self) -> Mapping[str, Any]:
        """Of the start that is under way, has failed, or was the last."""
        engine = self._status.engine()
        if engine is None:
            return {"outcome": None, "parts": [], "phases": [], "advice": None}
        times = engine.times.rounded()
        over = self._status.times.rounded() == times
        return {
            "outcome": "over" if over else "failed" if engine.doing is None else "runs",
            "parts": [[part.name, part.begin, part.seconds] for part in times.parts],
            "phases": list(times.phases),
            "advice": slowest.advice(times, self._plan) if over else None,
        }

    @cached_property
    def _settings(self) -> Mapping[str, Any]:
        """What is the same for as long as this worker runs."""
        return {**explain.as_json(self._plan), "try": addresses.of_callers(self._plan, self._env)}
