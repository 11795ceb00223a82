"""What `python -m proxy` tells the SDK before it is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from proxy import settings
from proxy.__main__ import for_the_sdk
from supervisor.link.handover import NO_CHECKS
from tests.client import PATIENCE
from tests.processes import ROOT

DEFAULTS = {
    "RUNPOD_LOG_LEVEL": "WARN",
    "RUNPOD_SKIP_GPU_CHECK": "true",
    "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
}


def test_our_defaults() -> None:
    assert for_the_sdk({}, settings.read({})) == DEFAULTS


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_the_user_has_set_stands(name: str) -> None:
    env = {name: "own", "OTHER": "x"}
    assert for_the_sdk(env, settings.read(env)) == {**DEFAULTS, name: "own"}


def test_a_machine_that_was_fit_is_not_checked_again() -> None:
    """Also where the user wants the SDK's own checks."""
    env = {
        "RUNPOD_SKIP_GPU_CHECK": "false",
        "FITNESS_CHECKS": NO_CHECKS,
        "RUNPOD_LOG_LEVEL": "INFO",
    }
    expected = {**DEFAULTS, "RUNPOD_LOG_LEVEL": "INFO"}
    assert for_the_sdk(env, settings.read(env)) == expected


def test_bytes_that_are_no_text_are_no_traceback() -> None:
    env = {**os.environb, b"MAX_CONCURRENCY": b"\xff"}
    done = subprocess.run(
        [sys.executable, "-m", "proxy"], cwd=ROOT, env=env, capture_output=True, timeout=PATIENCE
    )
    assert done.returncode == 78
    assert rb"MAX_CONCURRENCY=\udcff is not a whole number" in done.stdout
    assert done.stderr == b""
