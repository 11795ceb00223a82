"""Boards and manifests: in the forms that Grafana, Prometheus' operator and KEDA read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from jsonschema import Draft202012Validator

from supervisor.worker.metrics import names
from supervisor.worker.metrics.names import METRICS, OF_JOBS, Kind
from tests.test_deploy import DEPLOY, container, labels, manifest
from tests.tools.test_docs import SCHEMAS
from tools.docs import boards
from tools.docs.boards import kubernetes, panels, promql
from tools.docs.boards.panels import BOARDS

FILES = boards.rendered()
GRAFANA = {path: json.loads(text) for path, text in FILES.items() if path.endswith(".json")}
KUBERNETES = ("podmonitor", "prometheusrule", "scaledobject")
#: Of Grafana's units, those that are used; it takes whatever stands behind `suffix:` as it is.
UNITS = {"none", "s", "percentunit", "Bps"}
each_board = pytest.mark.parametrize("path", GRAFANA)
each_file = pytest.mark.parametrize("path", FILES)


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(FILES[f"deploy/kubernetes/{name}.yaml"]))


def queries(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield from panel["targets"]


# --- what is asked ---


@each_file
def test_every_metric_that_is_named_is_there(path: str) -> None:
    parts = {"": names.METRICS, "_bucket": (), "_count": (), "_sum": ()}
    known = {one.full + part for one in METRICS for part in parts if _has(one, part)}
    named = re.findall(r"\bvllm_supervisor_\w+", FILES[path])
    assert set(named) <= known


def _has(metric: names.Metric, part: str) -> bool:
    return bool(part) == (metric.kind is Kind.HISTOGRAM)


def test_every_metric_is_on_a_board() -> None:
    shown = " ".join(FILES[path] for path in GRAFANA)
    missing = {one for one in METRICS if not re.search(rf"\b{one.full}(_bucket)?\b", shown)}
    assert missing == panels.LEFT_OUT


def test_what_is_not_there_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="has no label"):
        promql.series(names.READY, phase="x")
    with pytest.raises(ValueError, match="is not there"):
        promql.series(OF_JOBS["wait"])
    with pytest.raises(ValueError, match="is not there"):
        promql.series(names.READY, suffix="_bucket")
    with pytest.raises(ValueError, match="it has no rate"):
        promql.rate(names.READY)
    with pytest.raises(ValueError, match="not all of the labels"):
        promql.rate(OF_JOBS["ended"], "cause")
    with pytest.raises(ValueError, match="no bucket of job_wait_seconds ends at 30"):
        promql.above(30, OF_JOBS["wait"])
    with pytest.raises(ValueError, match="is no histogram"):
        promql.above(30, OF_JOBS["ended"])


def test_a_limit_on_quantiles_is_where_a_bucket_ends() -> None:
    """They are guesses within a bucket, and right at its ends alone."""
    asked = {panel.title: panel for board in BOARDS for panel in board.panels}
    limited = [panel for panel in asked.values() if panel.limit is not None]
    of_histograms = [panel for panel in limited if "_quantile" in panel.queries[0].expression]
    assert of_histograms
    for panel in of_histograms:
        (metric,) = (one for one in METRICS if one.full in panel.queries[0].expression)
        assert panel.limit in promql.bounds(metric), panel.title


# --- Grafana ---


@each_board
def test_a_board_is_what_grafana_knows(path: str) -> None:
    """Its own types read it, and write all of it again as it was."""
    register_default_plugins()
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(GRAFANA[path])))
    assert list(lost(GRAFANA[path], again)) == []


def lost(had: Any, has: Any, where: str = "") -> Iterator[str]:
    """The fields of `had` that `has` has not, or not as they were."""
    if isinstance(had, dict) and isinstance(has, dict):
        for name, value in had.items():
            if name != "definition":  # of a variable: a copy of its query, for the list of them
                yield from lost(value, has.get(name, "nothing"), f"{where}.{name}")
    elif isinstance(had, list) and isinstance(has, list) and len(had) == len(has):
        for number, (one, other) in enumerate(zip(had, has, strict=True)):
            yield from lost(one, other, f"{where}[{number}]")
    elif had != has:
        yield f"{where}: {had!r}, {has!r}"


def test_a_field_that_grafana_does_not_know_is_seen() -> None:
    register_default_plugins()
    given = json.loads(FILES["deploy/grafana/jobs.json"])
    given["panels"][0]["gridPosition"] = given["panels"][0].pop("gridPos")
    given["templating"]["list"][1]["multi"] = "yes"
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))
    assert [one.partition(":")[0] for one in lost(given, again)] == [".panels[0].gridPosition"]


@each_board
def test_a_boards_panels_stand_beside_each_other(path: str) -> None:
    found = GRAFANA[path]["panels"]
    assert len(found) >= 5
    assert len({panel["id"] for panel in found}) == len(found)
    cells = [set(covered(panel["gridPos"])) for panel in found]
    assert not any(one & other for one, other in combinations(cells, 2))
    assert {x for one in cells for x, _ in one} <= set(range(24))


def covered(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        yield from ((x, y) for y in range(place["y"], place["y"] + place["h"]))


@each_board
def test_a_panel_has_a_title_a_meaning_and_a_unit(path: str) -> None:
    for panel in GRAFANA[path]["panels"]:
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        unit = panel["fieldConfig"]["defaults"]["unit"]
        assert unit in UNITS or unit.startswith("suffix: "), panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters))
        assert letters


@each_board
def test_variables_are_defined_before_they_are_used(path: str) -> None:
    own = {"__rate_interval"}
    first, *others = GRAFANA[path]["templating"]["list"]
    assert (first["name"], first["type"], first["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    own.add(first["name"])
    for variable in others:
        assert used(variable) <= own
        own.add(variable["name"])
    assert used(GRAFANA[path]["panels"]) <= own
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert all(panel["datasource"] == source for panel in GRAFANA[path]["panels"])
    assert all(query["datasource"] == source for query in queries(GRAFANA[path]))


def used(part: Any) -> set[str]:
    return set(re.findall(r"\$\{?(\w+)", json.dumps(part).replace('"$__all"', "")))


def test_every_board_leads_to_the_others() -> None:
    assert len({board["uid"] for board in GRAFANA.values()}) == len(BOARDS) == 5
    for board in GRAFANA.values():
        (link,) = board["links"]
        assert link["tags"] == board["tags"]


# --- Kubernetes ---


@pytest.mark.parametrize("name", KUBERNETES)
def test_a_manifest_has_the_fields_of_its_definition(name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    first, *_ = documents(name)
    errors = [error.message for error in Draft202012Validator(schema).iter_errors(first)]
    assert errors == []
    first["spec"]["unheardOf"] = 1
    assert not Draft202012Validator(schema).is_valid(first)


def test_the_monitor_reaches_the_workers_of_the_deployment() -> None:
    monitor, policy = documents("podmonitor")
    (asked,) = monitor["spec"]["podMetricsEndpoints"]
    assert monitor["spec"]["selector"]["matchLabels"] == labels()
    assert asked["port"] in {port["name"] for port in container()["ports"]}
    # The token comes from where the worker has it.
    env = {entry["name"]: entry for entry in container()["env"]}
    secret = env["CONTROL_TOKEN"]["valueFrom"]["secretKeyRef"]
    assert asked["authorization"]["credentials"] == {"name": secret["name"], "key": secret["key"]}
    assert f"--from-literal={secret['key']}=" in DEPLOY
    # It is let in, where the deployment's own policy lets nobody.
    assert policy["spec"]["podSelector"]["matchLabels"] == labels()
    (rule,) = policy["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": asked["port"]}]
    (own,) = manifest("NetworkPolicy")["spec"]["ingress"]
    assert asked["port"] not in {port["port"] for port in own["ports"]}


def test_the_operator_gets_the_same_alerts() -> None:
    (given,) = documents("prometheusrule")
    assert given["spec"] == yaml.safe_load(FILES["deploy/prometheus/alerts.yml"])


def test_workers_are_scaled_as_the_deployment_is_named() -> None:
    (given,) = documents("scaledobject")
    assert given["spec"]["scaleTargetRef"]["name"] == manifest("Deployment")["metadata"]["name"]
    assert given["spec"]["minReplicaCount"] >= 1
    (trigger,) = given["spec"]["triggers"]
    assert trigger["metadata"]["query"] == kubernetes.REQUESTS
    # A start tells no figures before its image is there.
    seconds = given["spec"]["pollingInterval"] * given["spec"]["fallback"]["failureThreshold"]
    assert seconds >= 600


@each_file
def test_no_file_has_a_secret_in_it(path: str) -> None:
    """The token comes by a file or a Kubernetes secret; it stands nowhere."""
    assert not re.search(r"\b(credentials|password|bearer_token): *[\"']?\w", FILES[path])
