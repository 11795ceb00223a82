"""OpenTelemetry's variables mean here what its specification says, and wrong ones are named."""

from __future__ import annotations

import re

import pytest

from supervisor.settings import otel, read
from supervisor.settings.otel import Target, Targets

BASE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}
BOTH = Targets(Target("http://c:4318/v1/traces", 10.0), Target("http://c:4318/v1/metrics", 10.0))


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({}, Targets()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, Targets()),
        (BASE, BOTH),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, BOTH),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t/in?x=1"},
            Targets(Target("https://t/in?x=1", 10.0)),
        ),
        ({**BASE, "OTEL_TRACES_EXPORTER": "none"}, Targets(None, BOTH.metrics)),
        ({**BASE, "OTEL_METRICS_EXPORTER": "NONE"}, Targets(BOTH.traces)),
        ({**BASE, "OTEL_SDK_DISABLED": "true"}, Targets()),
        (
            {
                **BASE,
                "OTEL_EXPORTER_OTLP_TIMEOUT": "2000",
                "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "500",
            },
            Targets(
                Target("http://c:4318/v1/traces", 2.0), Target("http://c:4318/v1/metrics", 0.5)
            ),
        ),
    ],
)
def test_where_each_signal_goes(env: dict[str, str], found: Targets) -> None:
    assert otel.targets(env) == found
    assert otel.findings(env).errors == ()


def test_how_often_metrics_are_sent() -> None:
    assert otel.interval({}) == 60
    assert otel.interval({"OTEL_METRIC_EXPORT_INTERVAL": "500"}) == 0.5


WRONG = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4318"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://c:4317"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:99999"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a b"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/in#part"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/otlp?tenant=7"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/otlp#part"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "only-a-key"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%0d%0aX-Evil: 1"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "x=%E2%82%AC"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", 'api-key="abc"'),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
    ("OTEL_RESOURCE_ATTRIBUTES", "team"),
    ("OTEL_SERVICE_NAME", "caf\udce9"),
    ("OTEL_TRACES_EXPORTER", "jaeger"),
    ("OTEL_TRACES_SAMPLER", "sometimes"),
    ("OTEL_TRACES_SAMPLER_ARG", "2"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "often"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "many"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_a_fault_that_names_it(name: str, value: str) -> None:
    [fault] = read.read({**BASE, name: value})[1].errors
    assert fault.env == name
    assert fault.message.startswith(f"{name}=")


@pytest.mark.parametrize(("name", "value"), [each for each in WRONG if "_ENDPOINT" not in each[0]])
def test_nothing_is_said_where_nothing_is_exported(name: str, value: str) -> None:
    assert otel.findings({name: value}) == otel.findings({})
    assert otel.findings({**BASE, "OTEL_SDK_DISABLED": "true", name: value}).errors == ()


def test_what_is_set_is_listed_without_its_secrets() -> None:
    env = {**BASE, "OTEL_EXPORTER_OTLP_HEADERS": "api-key=abc", "OTEL_SERVICE_NAME": "mine"}
    assert {row.env: row.value for row in otel.findings(env).applied} == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "***",
        "OTEL_SERVICE_NAME": "mine",
    }


def test_the_port_of_grpc_is_remarked_once() -> None:
    [remark] = otel.findings({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}).warnings
    assert "4318" in str(remark.suggestion)


@pytest.mark.parametrize("wanted", ["delta", "LowMemory"])
def test_deltas_are_a_preference_that_no_start_fails_for(wanted: str) -> None:
    name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
    found = read.read({**BASE, name: wanted})[1]
    assert found.errors == ()
    [remark] = found.warnings
    assert remark.env == name
    assert f"{name}={wanted}" in remark.message
    assert "cumulative" in str(remark.suggestion)
    assert otel.findings({**BASE, name: "Cumulative"}).warnings == ()
    assert otel.findings({**BASE, name: wanted, "OTEL_METRICS_EXPORTER": "none"}).warnings == ()


def test_a_batch_is_a_part_of_the_queue() -> None:
    queue, batch = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
    [fault] = otel.findings({**BASE, queue: "100"}).errors
    assert fault.message == (
        f"{queue}=100 does not go with {batch}=512, its default: a batch is a part of the queue"
    )
    assert fault.suggestion == f"set {batch} to 100 or less"
    [fault] = otel.findings({**BASE, queue: "100", batch: "101"}).errors
    assert fault.env == queue
    assert otel.findings({**BASE, queue: "100", batch: "100"}).errors == ()
    assert otel.findings({**BASE, queue: "100", "OTEL_TRACES_EXPORTER": "none"}).errors == ()


@pytest.mark.parametrize(
    ("env", "name", "says"),
    [
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318"},
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "traces go to /;.*/v1/traces: add that",
        ),
        (
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4318/"},
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            "metrics go to /;",
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/v1/traces",
                "OTEL_METRICS_EXPORTER": "none",
            },
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "traces go to /v1/traces/v1/traces;",
        ),
        (
            {**BASE, "OTEL_METRIC_EXPORT_INTERVAL": "15"},
            "OTEL_METRIC_EXPORT_INTERVAL",
            "OTEL_METRIC_EXPORT_INTERVAL=15 is in milliseconds.*multiply it by 1000",
        ),
        (
            {**BASE, "OTEL_EXPORTER_OTLP_TIMEOUT": "10"},
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "milliseconds",
        ),
    ],
)
def test_what_is_probably_not_meant_is_remarked(env: dict[str, str], name: str, says: str) -> None:
    found = otel.findings(env)
    assert found.errors == ()
    [remark] = found.warnings
    assert remark.env == name
    assert re.search(says, f"{remark.message}; {remark.suggestion}")


def test_what_is_probably_meant_is_not() -> None:
    env = {**BASE, "OTEL_METRIC_EXPORT_INTERVAL": "15000", "OTEL_EXPORTER_OTLP_TIMEOUT": "500"}
    assert otel.findings(env).warnings == ()
    assert otel.findings({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/in"}).warnings == ()


def test_blanks_are_no_part_of_a_value() -> None:
    env = {"OTEL_TRACES_SAMPLER": "always_off ", "OTEL_SPAN_EVENT_COUNT_LIMIT": " ", "X": " "}
    assert otel.cleaned(env) == {"OTEL_TRACES_SAMPLER": "always_off", "X": " "}
    assert otel.cleaned(BASE) is BASE
