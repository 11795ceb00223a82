"""What `python -m proxy` tells the SDK before it is imported."""

from __future__ import annotations

import pytest

from proxy import settings
from proxy.__main__ import for_the_sdk

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
    env = {"RUNPOD_SKIP_GPU_CHECK": "false", "FITNESS_CHECKS": "none", "RUNPOD_LOG_LEVEL": "INFO"}
    expected = {**DEFAULTS, "RUNPOD_LOG_LEVEL": "INFO"}
    assert for_the_sdk(env, settings.read(env)) == expected
