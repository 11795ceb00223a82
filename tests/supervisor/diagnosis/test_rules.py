"""The table of causes as a whole."""

from __future__ import annotations

import re
import signal
import string

from supervisor.diagnosis import diagnose, kinds
from supervisor.diagnosis.rules import RULES
from tests.processes import ROOT
from tests.supervisor.diagnosis.test_diagnosis import CASES

COMMANDS = (kinds.COMMAND_NOT_FOUND, kinds.COMMAND_NOT_EXECUTABLE)


def test_every_rule_is_whole_and_its_cause_tested() -> None:
    assert {rule.kind for rule in RULES} == {case[1] for case in CASES}
    for rule in RULES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.kind)
        quoted = {name for text in (rule.cause, rule.remedy)
                  for _, name, _, _ in string.Formatter().parse(text) if name}  # fmt: skip
        own = {"subject", "named_by", "variable", "auto"}
        assert quoted <= own | set(rule.details.groupindex if rule.details else ())
        assert not rule.remedy.endswith(".")


def test_the_docs_say_of_each_kind_whose_cause_it_is() -> None:
    """docs/operations.md, in two lists; a kind with causes of both stands in both."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    listed = {
        shared: set(re.findall(r"`([a-z-]+)`", row))
        for shared, row in (
            (True, re.findall(r"^\| settings, image, model.*$", page, re.MULTILINE)[0]),
            (False, re.findall(r"^\| this machine: GPU.*$", page, re.MULTILINE)[0]),
        )
    }
    known = {(rule.kind, rule.shared) for rule in RULES}
    known |= {(kind, True) for kind in (kinds.CONFIGURATION, *COMMANDS)}
    by_code = {diagnose(-number, []).kind for number in signal.Signals}
    by_code |= {diagnose(0, []).kind, diagnose(1, []).kind, diagnose(1, ["EngineDeadError"]).kind}
    known |= {(kind, False) for kind in (*by_code, kinds.OUT_OF_MEMORY)}
    for shared in (True, False):
        assert listed[shared] == {kind for kind, its in known if its is shared}


def test_what_all_workers_share_ends_every_start_the_same_way() -> None:
    assert [rule.kind for rule in RULES if rule.shared and not rule.final] == []


def test_what_the_engine_said_stands_in_the_sentence() -> None:
    """Braces in it are no places of ours."""
    rule = next(rule for rule in RULES if "{subject}" in rule.cause)
    assert "org/{m}" in rule.cause_with({"subject": "org/{m}"})
    assert "{" not in rule.remedy_with({})


def test_a_part_without_its_name_is_left_out() -> None:
    rule = next(rule for rule in RULES if rule.kind == "gpu-fault")
    assert rule.cause_with({}) == "the GPU or its driver failed"
    assert rule.cause_with({"fault": "[x]"}) == "the GPU or its driver failed: [x]"


def test_what_an_engine_said_itself_is_in_no_sentence() -> None:
    """Neither in a cause nor in a remedy: what may be shown has other names."""
    assert not [rule for rule in RULES if "{why}" in rule.cause + rule.remedy]
