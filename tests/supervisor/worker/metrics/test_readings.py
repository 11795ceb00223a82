"""What each metric is, from the totals that are kept elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Any

from supervisor.link.figures import ANSWERED, CANCELLED, FAILED, OTHER, REFUSED, Figures
from supervisor.link.histogram import Histogram
from supervisor.settings.routes import OFFERED
from supervisor.status.parts import Times
from supervisor.worker.lifecycle import History, NoProxy, Serving, Starting, State
from supervisor.worker.metrics import names, readings
from supervisor.worker.status import Status

HISTORY = History(
    was_ready=True, restarts=3, restarts_by={"hung": 1, "out-of-memory": 2}, proxy_restarts=4
)
READY = State(Serving(1.0), NoProxy(), history=HISTORY)


@dataclass
class Engine:
    pid: int | None = 7
    doing: str | None = None
    times: Times = field(default_factory=lambda: Times({"imports": 2.0}))
    seen: dict[Any, float] = field(default_factory=lambda: {names.KV_CACHE: 0.5})


def read(status: Status) -> dict[str, dict[tuple[str, ...], float | Histogram]]:
    return {one.metric.name: dict(one.values) for one in readings.read(status)}


def test_a_worker_without_a_proxy_tells_of_no_jobs() -> None:
    versions = {"worker": "1.2", "vllm": None}
    found = read(Status("plain", "m", versions, READY, gpu="NVIDIA L4"))
    assert found["ready"] == {(): 1.0}
    assert found["build_info"] == {("1.2", "unknown", "NVIDIA L4", "plain"): 1.0}
    assert found["restarts_total"] == {(): 3.0}
    assert found["engine_restarts_total"] == {("hung",): 1.0, ("out-of-memory",): 2.0}
    assert found["unavailable_seconds_total"] == {(): 0.0}
    absent = {"cold_start_seconds", "phase_seconds", "first_job_seconds", "proxy_restarts_total"}
    assert not {name for name in found if name in absent or "job" in name or "engine_req" in name}


def test_the_list_says_in_which_modes_each_is_there() -> None:
    """Of the worker's own: in every mode those alone that no job has to come for."""
    status = Status("plain", "m", {}, READY, Engine, cold_start=9.5)
    status.times = Times({"imports": 2.0})
    in_every_mode = {one.name for one in names.METRICS if one.source is names.Source.WORKER}
    of_the_engine = {one.name for one in names.OF_ENGINE}
    assert read(status).keys() - of_the_engine == in_every_mode


def test_figures_of_the_proxy_and_the_engine_are_told_as_they_are() -> None:
    figures = Figures(jobs=2, tokens=9)
    figures.ended["failed /v1/completions"] += 1
    figures.posts["lost"] += 1
    figures.wait.observe(0.5)
    status = Status("queue", "m", {}, READY, Engine, lambda: figures, cold_start=9.5)
    status.times = Times({"imports": 2.0})
    found = read(status)
    assert found["jobs_in_hand"] == {(): 2}
    assert found["jobs_total"][("failed", "/v1/completions")] == 1.0
    assert found["platform_posts_total"] == {("ok",): 0.0, ("retried",): 0.0, ("lost",): 1.0}
    assert found["platform_polls_total"] == {("jobs",): 0.0, ("empty",): 0.0, ("failed",): 0.0}
    assert found["job_wait_seconds"] == {(): figures.wait}
    assert found["engine_kv_cache_usage_ratio"] == {(): 0.5}
    assert "engine_preemptions_total" not in found
    assert found["proxy_restarts_total"] == {(): 4.0}
    assert found["cold_start_seconds"] == {(): 9.5}
    assert found["phase_seconds"] == {("imports",): 2.0}


def test_jobs_are_told_before_the_first_one_of_each_outcome_and_route() -> None:
    """Prometheus sees no growth of a series that begins with it: a first burst of failures."""
    figures = Figures()
    figures.ended["failed /sleep"] += 2
    figures.ended["answered /gone"] += 1
    status = Status("queue", "m", {}, READY, Engine, lambda: figures)
    status.routes = OFFERED | {"/sleep"}
    found = read(status)["jobs_total"]
    outcomes = (ANSWERED, REFUSED, FAILED, CANCELLED)
    told = set(product(outcomes, (*OFFERED, "/sleep", OTHER)))
    assert found.keys() == told | {("answered", "/gone")}
    assert {labels: n for labels, n in found.items() if n} == {
        ("failed", "/sleep"): 2.0,
        ("answered", "/gone"): 1.0,
    }


def test_every_counter_is_there_before_it_counts() -> None:
    """But the engine's own, and restarts by cause, of which `restarts_total` has the sum."""
    new = State(Starting(9.0), NoProxy())
    found = read(Status("queue", "m", {}, new, lambda: None, Figures))
    own = {one for one in names.METRICS if one.source is not names.Source.ENGINE}
    counters = {one.name for one in own if one.kind is not names.Kind.GAUGE}
    assert counters - found.keys() == {names.ENGINE_RESTARTS.name}
    assert all(found[name] for name in counters & found.keys())


def test_they_come_in_the_order_of_the_list() -> None:
    status = Status("queue", "m", {}, READY, Engine, Figures)
    told = [one.metric for one in readings.read(status)]
    assert told == sorted(told, key=names.METRICS.index)
