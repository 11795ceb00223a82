"""The model as the first argument, and the names under which it is served."""

from __future__ import annotations

import pytest

from supervisor.catalog import Catalog
from supervisor.command import plan
from tests.supervisor.command.test_translate import catalog

CURRENT = catalog("0.32.0")


def made(env: dict[str, str], of: Catalog | None = CURRENT) -> plan.Plan:
    return plan.make(env, of)


def test_the_model_is_positional_and_first() -> None:
    found = made({"MODEL_NAME": "org/m", "SERVED_MODEL_NAME": "a b"})
    assert found.command[:3] == ("vllm", "serve", "org/m")
    assert "--model" not in " ".join(found.command)


def test_without_a_model_the_warning_names_what_is_served() -> None:
    (warning,) = made({}).findings.warnings
    assert "MODEL_NAME" in warning.message
    assert "Qwen/Qwen3-0.6B" in warning.message
    assert not made({"VLLM_CONFIG_FILE": "/c.yaml"}).findings.warnings


def test_a_version_that_needs_a_model_refuses_without() -> None:
    (error,) = made({}, catalog("0.6.2")).findings.errors
    assert error.env == "MODEL_NAME"


@pytest.mark.parametrize("model", ["./m", "../m", "~/m", "--help"])
def test_a_model_that_cannot_work_is_refused(model: str) -> None:
    (error,) = made({"MODEL_NAME": model}).findings.errors
    assert error.message.startswith(f"MODEL_NAME={model} ")
