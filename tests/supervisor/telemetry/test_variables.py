"""The SDK reads OpenTelemetry's variables as the worker takes them."""

from __future__ import annotations

from supervisor.telemetry import variables


def test_the_process_has_them_without_what_the_sdk_would_stumble_over() -> None:
    process = {
        "OTEL_TRACES_SAMPLER": "always_off ",
        "OTEL_SPAN_EVENT_COUNT_LIMIT": " ",
        "OTEL_RESOURCE_ATTRIBUTES": "'team=a'",
        "OTEL_SERVICE_NAME": "mine",
        "OTHER": " x ",
    }
    variables.settle(process)
    assert process == {
        "OTEL_TRACES_SAMPLER": "always_off",
        "OTEL_RESOURCE_ATTRIBUTES": "team=a",
        "OTEL_SERVICE_NAME": "mine",
        "OTHER": " x ",
    }
