"""The registry, read back by Prometheus' own parsers; that of a whole worker in test_metrics.py."""

from __future__ import annotations

import subprocess

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from supervisor.link.figures import Figures
from supervisor.worker.lifecycle import History, NoProxy, Serving, State
from supervisor.worker.metrics import names, registry
from supervisor.worker.status import Status
from tests.programs import promtool
from tests.supervisor.worker.metrics.test_readings import Engine

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3"


def full() -> Status:
    """A worker that has something of everything."""
    figures = Figures(taken=3)
    for value in (0.05, 0.5, 5000.0):
        figures.wait.observe(value)
    figures.ended['answered /v1/"odd"'] += 2
    history = History(was_ready=True, restarts=1, restarts_by={"hung": 1})
    state = State(Serving(1.0), NoProxy(), history=history)
    engine = Engine(seen=dict.fromkeys(names.OF_ENGINE, 1.0))
    one = Status("queue", "m", {"worker": "1"}, state, lambda: engine, lambda: figures)
    one.first_job = one.cold_start = 1.5
    one.times = engine.times
    return one


def test_the_text_is_prometheus() -> None:
    body, kind = registry.exposition(registry.registry(full()), "")
    assert kind.startswith("text/plain; version=0.0.4")
    families = {one.name: one for one in parser.text_string_to_metric_families(body.decode())}
    assert {one.full.removesuffix("_total") for one in names.METRICS} == set(families)
    samples = families["vllm_supervisor_job_wait_seconds"].samples
    counts = {one.labels["le"]: one.value for one in samples if one.name.endswith("_bucket")}
    assert (counts["0.04"], counts["0.06"], counts["640.0"], counts["+Inf"]) == (0, 1, 2, 3)
    (job,) = (one for one in families["vllm_supervisor_jobs"].samples if one.value)
    assert (job.labels, job.value) == ({"outcome": "answered", "route": '/v1/"odd"'}, 2)


def test_whoever_asks_gets_openmetrics() -> None:
    body, kind = registry.exposition(registry.registry(full()), OPENMETRICS)
    assert kind.startswith("application/openmetrics-text")
    found = list(openmetrics(body.decode()))  # type: ignore[no-untyped-call]
    assert len(found) == len(names.METRICS)


def test_promtool_has_no_complaint() -> None:
    body, _ = registry.exposition(registry.registry(full()), "")
    done = subprocess.run(
        [promtool(), "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_nothing_is_kept_between_two_collections() -> None:
    status = full()
    collected = registry.registry(status)
    assert collected.get_sample_value("vllm_supervisor_jobs_taken_total") == 3
    status.figures = lambda: Figures(taken=4)
    assert collected.get_sample_value("vllm_supervisor_jobs_taken_total") == 4


@pytest.mark.parametrize(
    "accept",
    [
        *("text/html", "*/*", "; ,", "text/plain;version=abc"),
        *(
            "application/openmetrics-text; version=abc",
            "application/openmetrics-text;version=1.x.0",
        ),
    ],
)
def test_an_odd_accept_header_gets_plain_text(accept: str) -> None:
    body, kind = registry.exposition(registry.registry(full()), accept)
    assert kind.startswith("text/plain; version=0.0.4")
    assert b"vllm_supervisor_ready" in body


def test_a_version_may_stand_in_quotes() -> None:
    accept = 'application/openmetrics-text; version="1.0.0"; charset=utf-8'
    _, kind = registry.exposition(registry.registry(full()), accept)
    assert kind.startswith("application/openmetrics-text; version=1.0.0;")
