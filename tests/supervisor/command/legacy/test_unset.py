"""The literal None: not set, wherever it stands."""

from __future__ import annotations

import pytest

from supervisor.command import legacy, plan
from supervisor.settings import table
from tests.supervisor.command.legacy.old_names import OLD_NAMES, flag, made
from tests.supervisor.command.test_translate import VERSIONS, catalog

SPELLINGS = ["None", "none", " NONE "]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", SPELLINGS)
def test_every_name_at_once_is_as_if_nothing_were_set(version: str, text: str) -> None:
    """Options, old names and the worker's own settings, but for options with such a choice."""
    of = catalog(version)
    known = {*of.by_variable, *of.elsewhere, *OLD_NAMES, *table.WORKER_VARIABLES, *legacy.names()}
    named = {
        name
        for name, (option, _) in of.by_variable.items()
        if {"none"} & {str(choice) for choice in option.choices}
    }
    found = plan.make(dict.fromkeys(known - named, text), of)
    nothing = plan.make({}, of)
    assert found.command == nothing.command
    assert found.settings == nothing.settings
    assert found.findings.warnings == nothing.findings.warnings
    assert found.findings.errors == nothing.findings.errors
    assert {row.env for row in found.findings.ignored} == known - named


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_choice_of_that_name_is_a_choice(text: str) -> None:
    assert flag(made("0.32.0", CONVERT=text), "--convert") == "none"


def test_vllms_own_none_among_the_choices_is_not_set() -> None:
    assert flag(made("0.10.2", PREEMPTION_MODE="None"), "--preemption-mode") is None


def test_the_engine_does_not_see_it_either() -> None:
    env = {"MODEL_NAME": "m", "HF_TOKEN": "None", "VLLM_LOGGING_LEVEL": "none", "OTHER": "None"}
    found = plan.make(env, catalog("0.32.0"))
    handed = plan.engine_environment(env, found)
    assert set(handed) & env.keys() == {"OTHER"}


def test_without_a_catalogue_too() -> None:
    found = plan.make({"MODEL_NAME": "None", "MAX_RESTARTS": "none"}, None)
    assert found.model is None
    assert not found.findings.errors
