"""What is wrong with a key is said once, and nothing else of it."""

from __future__ import annotations

import pytest

from supervisor.command import doors
from supervisor.command.arguments import Arguments
from supervisor.findings import Fault, Remark
from supervisor.models.placement import OnDisk
from supervisor.settings import read
from supervisor.settings.read import Settings
from tests.supervisor.command.test_translate import catalog


def test_a_wrong_key_makes_no_gate_and_no_other_finding() -> None:
    env = {"VLLM_API_KEY": "zwölf"}
    found = doors.read(env, {}, Settings(), catalog("0.32.0"), Arguments(), OnDisk())
    assert (found.tokens, found.listener, found.findings.warnings) == ((), None, ())
    assert len(found.findings.errors) == 1


@pytest.mark.parametrize("env", [{}, {"VLLM_API_KEY": "one", "GATE": "0"}])
def test_a_key_in_the_engines_file_is_said_to_close_what_it_closes(env: dict[str, str]) -> None:
    """And not, beside that, that nothing is closed, or by VLLM_API_KEY."""
    settings, _ = read.read(env)
    disk = OnDisk(turned_on=frozenset({"api-key"}))
    found = doors.read(env, {}, settings, catalog("0.32.0"), Arguments(), disk)
    every: list[Remark | Fault] = [*found.findings.warnings, *found.findings.errors]
    (said,) = every
    assert (said.env, found.listener) == ("VLLM_CONFIG_FILE", None)


def test_what_was_written_as_an_option_wins() -> None:
    env, moved = {"VLLM_API_KEY": "one"}, {"VLLM_API_KEY": "two,three"}
    found = doors.read(env, moved, Settings(), catalog("0.32.0"), Arguments(), OnDisk())
    assert found.engine_env["VLLM_API_KEY"] == "two"
