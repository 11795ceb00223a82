"""The mode where the user names none."""

from __future__ import annotations

import pytest

from supervisor.settings.mode import Mode, of_platform, sends_jobs


@pytest.mark.parametrize(
    ("env", "mode"),
    [
        ({}, Mode.PLAIN),
        ({"RUNPOD_ENDPOINT_ID": " ", "RUNPOD_POD_ID": "p"}, Mode.PLAIN),
        ({"RUNPOD_ENDPOINT_ID": "e"}, Mode.LOAD_BALANCER),
        ({"RUNPOD_ENDPOINT_ID": "e", "RUNPOD_WEBHOOK_GET_JOB": "http://x"}, Mode.QUEUE),
    ],
)
def test_the_platform_says_how_requests_come(env: dict[str, str], mode: Mode) -> None:
    assert of_platform(env) is mode


@pytest.mark.parametrize(
    ("env", "sends"),
    [
        ({}, False),
        ({"RUNPOD_WEBHOOK_GET_JOB": " ", "RUNPOD_REALTIME_PORT": "0"}, False),
        ({"RUNPOD_WEBHOOK_GET_JOB": "http://x"}, True),
        ({"RUNPOD_REALTIME_PORT": "9000"}, True),
    ],
)
def test_jobs_come_from_an_address_or_to_a_port(env: dict[str, str], sends: bool) -> None:
    assert sends_jobs(env) is sends
