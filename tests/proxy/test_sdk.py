"""The guard before the SDK's inside is touched."""

from __future__ import annotations

import pytest
from runpod.serverless.modules import rp_http, rp_scale

from proxy import sdk


def test_the_pinned_sdk_has_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rp_scale, "JobScaler", rp_scale.JobScaler)  # put back at the end
    assert sdk.install()
    assert rp_scale.JobScaler is sdk.DrainingScaler


@pytest.mark.parametrize(
    "name", ["handle_shutdown", "kill_worker", "get_jobs", "run_jobs", "current_occupancy"]
)
def test_a_method_that_is_gone_leaves_the_sdk_alone(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = rp_scale.JobScaler
    monkeypatch.setattr(original, name, None)
    assert not sdk.install()
    assert rp_scale.JobScaler is original
    assert f"JobScaler.{name}" in caplog.text


@pytest.mark.parametrize("name", ["JOB_STREAM_URL", "JOB_DONE_URL"])
def test_an_address_that_is_gone_leaves_the_sdk_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = rp_scale.JobScaler
    monkeypatch.delattr(rp_http, name)
    assert not sdk.install()
    assert rp_scale.JobScaler is original


def test_another_body_leaves_the_sdk_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same names, used in another way."""
    original = rp_scale.JobScaler
    monkeypatch.setattr(sdk.inspect, "getsource", lambda _found: "class JobScaler: ...")
    assert not sdk.install()
    assert rp_scale.JobScaler is original
