"""Runs that never ran, for tests of what is made of their figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.around.tally import Delivered, Tally
from bench.load import Load
from bench.measure import Run

LOAD = Load(1, 0, name="1")


def run(contender: str = "ours", load: Load = LOAD, **figures: Any) -> Run:
    """A run without a complaint; `figures` are fields of Run or of Delivered."""
    nothing = Tally(load).delivered()
    whole: dict[str, Any] = {"jobs_done": load.jobs, "tokens": load.jobs * load.tokens}
    seen = {key: figures.pop(key) for key in list(figures) if key in Delivered.__annotations__}
    cores = dict.fromkeys(("worker", "engine", "platform", "other"), 0.0)
    return Run(
        **{
            "contender": contender,
            "round": 1,
            "load": load,
            "delivered": replace(nothing, **{**whole, "seconds": 1.0, **seen}),
            "cpu_us_per_token": 1.0,
            "worker_mb": 1.0,
            **{f"{name}_cores": busy for name, busy in cores.items()},
            **figures,
        }
    )
