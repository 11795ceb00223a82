"""The table of causes as a whole."""

from __future__ import annotations

import re
import string

from supervisor.diagnosis.rules import RULES
from tests.supervisor.diagnosis.test_diagnosis import CASES


def test_every_rule_is_whole_and_its_cause_tested() -> None:
    assert {rule.kind for rule in RULES} == {case[1] for case in CASES}
    for rule in RULES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.kind)
        quoted = {name for text in (rule.cause, rule.remedy)
                  for _, name, _, _ in string.Formatter().parse(text) if name}  # fmt: skip
        assert quoted <= {"model", *(rule.details.groupindex if rule.details else ())}
        assert not rule.remedy.endswith(".")


def test_what_the_engine_said_stands_in_the_sentence() -> None:
    """Braces in it are no places of ours."""
    rule = next(rule for rule in RULES if "{model}" in rule.cause)
    assert "org/{m}" in rule.cause_with({"model": "org/{m}"})
    assert "{" not in rule.remedy_with({})
