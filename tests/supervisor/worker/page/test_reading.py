"""Where the figures of the page come from."""

from __future__ import annotations

from dataclasses import dataclass, field

from supervisor.link.figures import Figures
from supervisor.status.parts import Times
from supervisor.worker.lifecycle import NoProxy, Starting, State
from supervisor.worker.metrics import vllm
from supervisor.worker.page import reading
from supervisor.worker.page.samples import Reading
from supervisor.worker.status import Status

METRICS = """\
vllm:num_requests_running{engine="0"} 3.0
vllm:num_requests_waiting{engine="0"} 1.0
vllm:kv_cache_usage_perc{engine="0"} 0.25
vllm:generation_tokens_total{engine="0"} 100.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.1"} 4.0
vllm:time_to_first_token_seconds_count{engine="0"} 4.0
vllm:time_to_first_token_seconds_sum{engine="0"} 0.5
"""


@dataclass
class Engine:
    pid: int | None = 7
    doing: str | None = None
    times: Times = field(default_factory=Times)
    seen: vllm.Figures = field(default_factory=lambda: vllm.read(METRICS))


def status(engine: Engine | None, figures: Figures | None) -> Status:
    state = State(Starting(9.0), NoProxy())
    return Status("plain", "m", {}, state, lambda: engine, lambda: figures)


def test_without_a_proxy_the_engine_counts() -> None:
    assert reading.read(status(Engine(), None)) == Reading(3, 1, 100, 4, 0.5, 0.25)


def test_the_proxy_counts_jobs_and_the_engine_knows_its_cache() -> None:
    figures = Figures(jobs=2, tokens=50)
    figures.first_token.observe(0.25)
    assert reading.read(status(Engine(), figures)) == Reading(2, 1, 50, 1, 0.25, 0.25)


def test_without_an_engine_nothing_is_known_of_it() -> None:
    assert reading.read(status(None, None)) == Reading()
    assert reading.read(status(Engine(seen={}), Figures())) == Reading(0, None, 0, 0, 0.0, None)


def test_figures_that_were_told_again_are_told_apart() -> None:
    engine = Engine()
    plain, queue = status(engine, None), status(engine, Figures())
    assert reading.told(plain) is reading.told(plain)
    assert reading.told(queue) is not reading.told(queue)
    before = reading.told(plain)
    engine.seen = vllm.read(METRICS)
    assert reading.told(plain) is not before
