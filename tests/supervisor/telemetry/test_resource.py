"""A worker says who it is, unless OpenTelemetry's variables say it."""

from __future__ import annotations

import pytest

from supervisor.telemetry.instance import instance
from supervisor.telemetry.resource import resource

PLATFORM = {"RUNPOD_POD_ID": "w1", "RUNPOD_ENDPOINT_ID": "e1"}


def test_the_worker_is_named_by_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    said = resource(PLATFORM).attributes
    assert said["service.name"] == "vllm-supervisor"
    assert (said["service.namespace"], said["service.instance.id"]) == ("e1", "w1")
    assert said["service.version"]
    assert resource({}).attributes["service.instance.id"] == instance({})


def test_what_is_said_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=i,team=a")
    said = resource(PLATFORM).attributes
    assert [said[f"service.{name}"] for name in ("name", "instance.id")] == ["mine", "i"]
    assert said["team"] == "a"
