"""The engine exports its own spans where it can, to where the proxy's go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.command import plan
from tests.supervisor.command.test_translate import catalog

CURRENT = catalog("0.32.0")
BASE = {"MODEL_NAME": "m", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}
OWN = {"MODEL_NAME": "m", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/in"}


def option(made: plan.Plan) -> str | None:
    return made.value("--otlp-traces-endpoint")


def test_the_engine_gets_the_whole_address_and_the_protocol() -> None:
    made = plan.make({**BASE, "OTEL_EXPORTER_OTLP_TIMEOUT": "2500"}, CURRENT)
    assert option(made) == "http://c:4318/v1/traces"
    assert made.engine_env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] == "http/protobuf"
    assert made.engine_env["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"] == "3"  # seconds to its SDK
    assert made.engine_env["OTEL_SERVICE_NAME"] == "vllm"
    assert option(plan.make(OWN, CURRENT)) == "http://c:4318/in"
    named = plan.make({**BASE, "OTEL_SERVICE_NAME": "mine"}, CURRENT)
    assert named.engine_env["OTEL_SERVICE_NAME"] == "mine"


@pytest.mark.parametrize(
    "env",
    [
        {},
        {**BASE, "OTEL_TRACES_EXPORTER": "none"},
        {**BASE, "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4318/in"},
    ],
)
def test_without_traces_it_gets_nothing(env: dict[str, str]) -> None:
    made = plan.make({"MODEL_NAME": "m", **env}, CURRENT)
    assert option(made) is None
    assert not [name for name in made.engine_env if name.startswith("OTEL_")]


@pytest.mark.parametrize(
    "said", [{"OTLP_TRACES_ENDPOINT": "x:1"}, {"VLLM_EXTRA_ARGS": "--otlp-traces-endpoint=x:1"}]
)
def test_what_the_user_says_of_the_option_wins(said: dict[str, str]) -> None:
    made = plan.make({**BASE, **said}, CURRENT)
    assert option(made) == "x:1"
    assert "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL" not in made.engine_env


@pytest.mark.parametrize("features", [{}, {"tracing": False}])
def test_an_engine_without_the_packages_would_not_start_with_it(features: dict[str, bool]) -> None:
    made = plan.make(BASE, replace(CURRENT, features=features))
    assert option(made) is None
    [remark] = [each for each in made.findings.warnings if each.env.startswith("OTEL_")]
    assert "packages" in remark.message


def test_a_secret_in_the_address_reaches_no_command_line() -> None:
    secret = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:pa55word@c"}
    made = plan.make({**BASE, **secret}, CURRENT)
    assert "pa55word" not in " ".join(made.command) + str(made.findings)
    assert any("command line" in each.message for each in made.findings.warnings)


def test_a_config_file_is_not_overruled() -> None:
    assert option(plan.make({**BASE, "VLLM_CONFIG_FILE": "/c.yaml"}, CURRENT)) is None
