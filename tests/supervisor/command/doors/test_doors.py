"""What is wrong with a key is said once, and nothing else of it."""

from __future__ import annotations

from supervisor.command import doors
from supervisor.command.arguments import Arguments
from supervisor.settings.read import Settings
from tests.supervisor.command.test_translate import catalog


def test_a_wrong_key_makes_no_gate_and_no_other_finding() -> None:
    env = {"VLLM_API_KEY": "zwölf"}
    found = doors.read(env, {}, Settings(), catalog("0.32.0"), Arguments(), frozenset())
    assert (found.tokens, found.listener, found.findings.warnings) == ((), None, ())
    assert len(found.findings.errors) == 1


def test_what_was_written_as_an_option_wins() -> None:
    env, moved = {"VLLM_API_KEY": "one"}, {"VLLM_API_KEY": "two,three"}
    found = doors.read(env, moved, Settings(), catalog("0.32.0"), Arguments(), frozenset())
    assert found.engine_env["VLLM_API_KEY"] == "two"
