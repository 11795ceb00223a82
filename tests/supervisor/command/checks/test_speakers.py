"""The sentence that names who said what."""

from __future__ import annotations

from supervisor.command.arguments import Argument, Arguments
from supervisor.command.checks import speakers
from supervisor.command.checks.speakers import Speakers
from supervisor.findings import Applied

MAX = Argument("--max", "--max", ("4",), ("--max=4",))
ROWS = [
    Applied("MAX", "4", "--max", "option"),
    Applied("OLD_A", "7", "--json", "legacy"),
    Applied("OLD_B", "8", "--json", "legacy"),
]
OF_JSON = Argument("--json", "--json", ('{"a":7,"b":8}',), ('--json={"a":7,"b":8}',))


def test_a_variable() -> None:
    found = Speakers(ROWS, Arguments()).said(MAX, "4", "is wrong")
    assert found == ("MAX", "4", "MAX=4 is wrong")


def test_of_several_the_one_with_the_value_else_the_last() -> None:
    of = Speakers(ROWS, Arguments())
    assert of.said(OF_JSON, "7", "is wrong") == ("OLD_A", "7", "OLD_A=7 is wrong")
    assert of.said(OF_JSON, "a", "is wrong") == ("OLD_B", "8", "OLD_B=8: a is wrong")


def test_extra_arguments_and_what_nobody_said() -> None:
    name = "VLLM_EXTRA_ARGS"
    found = Speakers(ROWS, Arguments((MAX,))).said(MAX, "4", "is wrong")
    assert found == (name, "--max=4", f"--max=4 in {name} is wrong")
    assert speakers.of_extra("", "word", "is wrong") == (name, "word", f"word in {name} is wrong")
    assert Speakers((), Arguments()).said(MAX, "4", "is wrong")[2] == "--max=4 is wrong"
