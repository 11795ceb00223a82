"""The proxy reads the supervisor's table, and what only the supervisor writes."""

from __future__ import annotations

from typing import Any

import pytest

from proxy import settings
from proxy.settings import FITNESS_CHECKS, JOBS_FD, REPORT_FD, ProxyConfigurationError
from supervisor.link.handover import NO_CHECKS
from supervisor.settings import read as supervisor_settings
from supervisor.settings import table
from supervisor.settings.table import Reader

#: What both read: the supervisor checks what its proxy will read.
ROWS = [row for row in table.TABLE if row.reader in {Reader.PROXY, Reader.BOTH}]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize(
    "value", ["0", "1", "-1", "0.5", "1e3", "auto", "true", "nan", "word", "tcp://10.96.0.7:80"]
)
def test_supervisor_and_proxy_accept_the_same(row: table.Setting[Any], value: str) -> None:
    """In the same words: what only the proxy refused would end a worker with its model loaded."""
    env = {row.name: value}
    found, findings = supervisor_settings.read(env)
    if findings.errors:
        with pytest.raises(ProxyConfigurationError) as caught:
            settings.read(env)
        assert [str(caught.value)] == [fault.message for fault in findings.errors]
    else:
        assert settings.read(env)[row] == found[row]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_CONCURRENCY", "0"),
        ("DEFAULT_BATCH_SIZE", "x"),
        ("VLLM_PORT", "-1"),
        ("REPORT_FD", "x"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ProxyConfigurationError, match=f"{name}={value} is not a"):
        settings.read({name: value})


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ProxyConfigurationError) as caught:
        settings.read({"MAX_CONCURRENCY": "0", "LOG_CONTENT": "maybe"})
    first, second = str(caught.value).split("; ")
    assert first.startswith("MAX_CONCURRENCY=0 is not a")
    assert second.startswith("LOG_CONTENT=maybe is neither true nor false")


def test_what_only_the_supervisor_reads_is_not_checked() -> None:
    settings.read({"MAX_RESTARTS": "many", "WORKER_MODE": "?", "PORT": "x"})


def test_settings_by_their_rows() -> None:
    read = settings.read({"BATCH_MAX_LATENCY_MS": "0", "RAW_OPENAI_OUTPUT": "0", "ENGINE_URL": ""})
    assert read[table.BATCH_MAX_LATENCY_MS] == 0
    assert not read[table.RAW_OPENAI_OUTPUT]
    assert read[table.MAX_CONCURRENCY] == table.MAX_CONCURRENCY.default
    assert read.engine_url == "http://127.0.0.1:8000"
    assert read.control_url == "http://127.0.0.1:8001"


def test_addresses_are_made_of_ports_where_none_is_given() -> None:
    assert settings.read({"VLLM_PORT": "9"}).engine_url == "http://127.0.0.1:9"
    assert settings.read({"PORT_HEALTH": "9"}).control_url == "http://127.0.0.1:9"
    lone = settings.read({"ENGINE_URL": "http://x:1/"})
    assert (lone.engine_url, lone.control_url) == ("http://x:1", None)
    both = settings.read({"ENGINE_URL": "http://x:1", "CONTROL_URL": "http://y:2/"})
    assert both.control_url == "http://y:2"


def test_the_ramp_is_of_three_settings() -> None:
    assert settings.read({}).ramp == settings.Ramp()
    env = {
        "DEFAULT_MIN_BATCH_SIZE": "2",
        "DEFAULT_BATCH_SIZE_GROWTH_FACTOR": "1.5",
        "DEFAULT_BATCH_SIZE": "8",
    }
    assert settings.read(env).ramp == settings.Ramp(first=2, growth=1.5, most=8)


def test_a_ramp_of_any_size_is_one() -> None:
    env = {"DEFAULT_BATCH_SIZE": "9" * 400, "DEFAULT_MIN_BATCH_SIZE": "9" * 400}
    assert settings.read(env).ramp == settings.Ramp(first=10**9, growth=3.0, most=10**9)


def test_a_growth_of_1_means_constant_largest_batches() -> None:
    assert settings.read({"DEFAULT_BATCH_SIZE_GROWTH_FACTOR": "1"}).ramp.begin == 50
    assert settings.Ramp(first=2, growth=1.0, most=8).begin == 8
    assert settings.Ramp(first=20, growth=2.0, most=8).begin == 8
    assert settings.Ramp(first=2, growth=2.0, most=8).begin == 2


def test_routes_are_parted_by_commas_or_white_space() -> None:
    assert settings.read({}).allowed_routes == frozenset()
    ours = settings.read({"WORKER_ROUTES": "1"})
    assert ours.allowed_routes == ours.worker_routes == {"/worker/status", "/worker/metrics"}
    named = settings.read({"ALLOWED_ROUTES": "/worker/status"})
    assert named.allowed_routes == {"/worker/status"}
    assert named.worker_routes == frozenset()
    read = settings.read({"ALLOWED_ROUTES": "/sleep,/wake_up  /v1/x"})
    assert read.allowed_routes == {"/sleep", "/wake_up", "/v1/x"}


def test_what_the_supervisor_hands_over() -> None:
    alone = settings.read({})
    assert (alone[REPORT_FD], alone[JOBS_FD]) == (None, None)
    assert alone[FITNESS_CHECKS] == "memory,disk,gpu,engine"
    read = settings.read({"REPORT_FD": "3", "JOBS_FD": "4", "FITNESS_CHECKS": NO_CHECKS})
    assert (read[REPORT_FD], read[JOBS_FD], read[FITNESS_CHECKS]) == (3, 4, NO_CHECKS)


def test_the_engines_key_is_not_shown() -> None:
    read = settings.read({"VLLM_API_KEY": " s3cret "})
    assert read.key == "s3cret"
    assert "s3cret" not in repr(read)


def test_the_supervisor_is_shown_its_token() -> None:
    shown = settings.read({"CONTROL_TOKEN": "T"}).control_headers
    assert shown == {"Authorization": "Bearer T"}
    assert settings.read({}).control_headers == {}
    assert settings.read({"CONTROL_TOKEN": "T", "ENGINE_URL": "http://x"}).control_headers == {}
