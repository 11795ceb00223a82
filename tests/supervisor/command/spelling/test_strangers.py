"""Other products' names for what is a setting here."""

from __future__ import annotations

import pytest

from supervisor.command import plan
from supervisor.command.spelling import strangers
from supervisor.settings.table import WORKER_VARIABLES
from tests.supervisor.command.test_translate import VERSIONS, catalog

OLD_AND_NEW = ("0.6.2", "0.33.0")


def warned(env: dict[str, str], version: str = "0.32.0") -> dict[str, str | None]:
    found = plan.make({"MODEL_NAME": "m", **env}, catalog(version)).findings
    assert not found.errors
    return {warning.env: warning.suggestion for warning in found.warnings}


@pytest.mark.parametrize("version", OLD_AND_NEW)
@pytest.mark.parametrize(
    ("name", "today"),
    [
        ("VLLM_STARTUP_TIMEOUT", "STARTUP_TIMEOUT"),
        ("REQUEST_TIMEOUT", "REQUEST_IDLE_TIMEOUT"),
        ("ENGINE_START_TIMEOUT", "STARTUP_TIMEOUT"),
        ("MODEL_LOAD_TIMEOUT", "STARTUP_TIMEOUT"),
        ("SHUTDOWN_GRACE_PERIOD", "DRAIN_TIMEOUT"),
        ("STALL_TIMEOUT", "ENGINE_STALL_TIMEOUT"),
        ("VLLM_CMD", "VLLM_COMMAND"),
        ("HF_MODEL_REVISION", "MODEL_REVISION"),
        ("QUANTIZE", "QUANTIZATION"),
        ("TP_SIZE", "TENSOR_PARALLEL_SIZE"),
        ("CONTEXT_LENGTH", "MAX_MODEL_LEN"),
        ("HUGGINGFACE_TOKEN", "HF_TOKEN"),
    ],
)
def test_it_is_named_with_todays_name_unless_that_is_set(
    name: str, today: str, version: str
) -> None:
    value = "awq" if today == "QUANTIZATION" else "7"
    assert warned({name: value}, version) == {name: f"set {today} instead"}
    assert warned({name: value, today: ""}, version) == {name: f"set {today} instead"}
    assert name not in warned({name: value, today: value}, version)
    assert warned({name: " "}, version) == {}


def test_a_name_that_looks_the_same_and_means_something_else_is_explained() -> None:
    found = plan.make({"MODEL_NAME": "m", "REQUEST_TIMEOUT": "3600"}, catalog("0.32.0")).findings
    (warning,) = found.warnings
    assert "worker-vllm's longest time for a whole request" in warning.message


@pytest.mark.parametrize("version", VERSIONS)
def test_every_row_is_free_and_names_what_there_is(version: str) -> None:
    """A row whose name is an option here, or an old name of one, would never be shown."""
    of = catalog(version)
    for name, stranger in strangers._STRANGERS.items():
        assert name not in WORKER_VARIABLES
        options = {*of.by_variable, *of.elsewhere, "HF_TOKEN", "MODEL_REVISION"}
        assert stranger.today in {*WORKER_VARIABLES, *options}, name


@pytest.mark.parametrize("name", sorted(strangers.MODELS))
def test_a_name_for_the_model_is_nothing_where_the_model_is_named(name: str) -> None:
    assert warned({name: "/m"}) == {}
    assert strangers.model({name: "/m", "MODEL_NAME": ""}) == (name, strangers.MODELS[name])


def test_without_any_there_is_none() -> None:
    assert strangers.model({"MODEL_ID": " "}) is None


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("NIM_MAX_MODEL_LEN", "MAX_MODEL_LEN"),
        ("SM_VLLM_MAX_MODEL_LEN", "MAX_MODEL_LEN"),
        ("WORKER_MAX_CONCURRENCY", "MAX_CONCURRENCY"),
        ("VLLM_SEED", None),
        ("VLLM_MODEL_NAME", None),
        ("MY_MAX_MODEL_LEN", None),
    ],
)
def test_a_prefix_of_others(name: str, rest: str | None) -> None:
    options = {"MAX_MODEL_LEN", "SEED"}
    assert strangers.without_prefix(name, options, {"MAX_CONCURRENCY", "MODEL_NAME"}) == rest
