"""The list of metrics: what Prometheus' conventions ask of names."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from supervisor.link.figures import Figures
from supervisor.worker.metrics import names
from supervisor.worker.metrics.names import METRICS, Kind, Metric


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: one.name)
def test_names_follow_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.meaning.endswith(".")


def test_each_is_told_once() -> None:
    assert len({one.name for one in METRICS}) == len(METRICS)
    assert set(names.OF_JOBS) == {each.name for each in fields(Figures)}


def test_the_table_has_each_with_its_labels() -> None:
    rows = names.table().splitlines()
    assert len(rows) == len(METRICS) + 2
    assert any(row.startswith("| `jobs_total{outcome,route}` | counter | ") for row in rows)
