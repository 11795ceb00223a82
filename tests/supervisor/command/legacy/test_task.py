"""TASK: as each version takes it, and left alone where it is nobody's task."""

from __future__ import annotations

import pytest

from tests.supervisor.command.legacy.old_names import flag, made


@pytest.mark.parametrize(
    ("version", "task", "expected"),
    [
        ("0.10.2", "embed", {"--task": "embed"}),
        ("0.14.1", "embed", {"--runner": "pooling", "--convert": "embed"}),
        ("0.14.1", "reward", {"--runner": "pooling", "--convert": "reward"}),
        ("0.32.0", "embedding", {"--runner": "pooling", "--convert": "embed"}),
        ("0.32.0", "EMBED", {"--runner": "pooling", "--convert": "embed"}),
        ("0.32.0", "classify", {"--runner": "pooling", "--convert": "classify"}),
        ("0.32.0", "reward", {"--runner": "pooling"}),
        ("0.32.0", "score", {"--runner": "pooling"}),
        ("0.33.0", "generate", {"--runner": "generate"}),
        ("0.33.0", "transcription", {"--runner": "generate"}),
        ("0.32.0", "auto", {}),
    ],
)
def test_a_task_is_carried_over(version: str, task: str, expected: dict[str, str]) -> None:
    found = made(version, TASK=task)
    said = {name: flag(found, name) for name in ("--task", "--runner", "--convert")}
    assert {name: value for name, value in said.items() if value is not None} == expected
    assert not found.findings.warnings


def test_a_version_without_tasks_says_so() -> None:
    (warning,) = made("0.6.2", TASK="embed").findings.warnings
    assert "tells the task from the model" in warning.message


def test_what_is_no_task_is_somebody_elses() -> None:
    found = made("0.32.0", TASK="nightly-build")
    assert [row.env for row in found.findings.ignored] == ["TASK"]
    assert not found.findings.warnings
    assert flag(found, "--runner") is None


def test_the_options_own_variable_wins() -> None:
    found = made("0.32.0", TASK="embed", CONVERT="classify")
    assert flag(found, "--convert") == "classify"
    (warning,) = found.findings.warnings
    assert "CONVERT is used" in warning.message
