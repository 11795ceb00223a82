"""Findings of several passes are added together."""

from __future__ import annotations

from supervisor.findings import Applied, Fault, Findings, Ignored, Remark

ROW = Applied("A", "1", None, "worker")
OTHER = Applied("B", "1", None, "worker")
IGNORED, WARNING, ERROR = Ignored("C", "why"), Remark("D", "what"), Fault("E", "1", "what")


def test_single_findings_are_sorted_by_their_kind() -> None:
    found = Findings.of(ERROR, ROW, WARNING, OTHER, IGNORED)
    assert found == Findings((ROW, OTHER), (IGNORED,), (WARNING,), (ERROR,))


def test_later_findings_come_behind() -> None:
    second = Remark("F", "what")
    both = Findings.of(ROW, WARNING) + Findings.of(OTHER, second, ERROR)
    assert both == Findings((ROW, OTHER), (), (WARNING, second), (ERROR,))


def test_what_a_later_pass_made_of_a_variable_replaces_its_row() -> None:
    became = Applied("A", "1", "--a", "worker")
    assert (Findings.of(ROW, OTHER) + Findings.of(became)).applied == (OTHER, became)


def test_nothing_added_changes_nothing() -> None:
    found = Findings.of(ROW, IGNORED, WARNING, ERROR)
    assert found + Findings() == found == Findings() + found


def test_of_a_variable_that_is_wrong_nothing_else_is_said() -> None:
    first = Findings.of(Fault("D", "1", "what"))
    found = Findings.of(IGNORED, WARNING, ERROR).beside(first)
    assert found == Findings.of(IGNORED, ERROR)
    assert found.beside(Findings()) == found


def test_words_that_nobody_reads_to_their_end_are_cut() -> None:
    digits = "7" * 5000
    fault = Fault("A", digits, f"A={digits} is not a number", f"set A, not {digits}")
    remark = Remark("B", "what", f"unset B={digits}")
    found = Findings.of(fault, remark).shortened()
    (error,), (warning,) = found.errors, found.warnings
    assert error.message == f"A={'7' * 98}... (5002 characters) is not a number"
    assert len(error.value) < 200
    assert error.suggestion == f"set A, not {'7' * 100}... (5000 characters)"
    assert warning.suggestion == f"unset B={'7' * 98}... (5002 characters)"
    short = Findings.of(Fault("A", "7" * 90, f"A={'7' * 90} is large"), Remark("B", "b " * 500))
    assert short.shortened() == short
