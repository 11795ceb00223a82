"""What a command line asks for."""

from __future__ import annotations

import pytest

from bench.arguments import OURS, PASS_THROUGH, SETUPS, parse


def test_without_anything_all_loads_run_five_times() -> None:
    asked = parse([])
    assert asked.rounds == 5
    assert asked.question == "loads"
    assert [each.name for each in asked.contenders] == [OURS, PASS_THROUGH]
    assert {"burst-300", "300", "30", "1"} < {each.name for each in asked.loads}
    assert {each.tokens for each in asked.loads} == {200}


def test_the_baseline_is_the_last_contender() -> None:
    asked = parse(["--also", "a=one", "--also", "b=two", "--against", __file__])
    assert [each.name for each in asked.contenders] == [OURS, "a", "b", "test_arguments"]
    assert asked.baseline == "test_arguments"


def test_options_reach_every_load() -> None:
    asked = parse(["--loads", "burst-3, 4", "--tokens", "7", "--rate", "9", "--round-trip-ms", "5"])
    assert [(each.name, each.tokens, each.rate, each.round_trip_ms) for each in asked.loads] == [
        ("burst-3", 7, 9, 5),
        ("4", 7, 9, 5),
    ]


def test_quick_takes_the_loads_that_are_named() -> None:
    asked = parse(["--quick", "--loads", "2"])
    assert (asked.rounds, [each.name for each in asked.loads]) == (1, ["2"])
    assert asked.loads[0].tokens < 200
    named = parse(["--quick", "--loads", "2", "--tokens", "7", "--rounds", "4"])
    assert (named.rounds, named.loads[0].tokens) == (4, 7)


@pytest.mark.parametrize("question", ["capacity", "short", "start", "real", "overhead"])
def test_one_other_question(question: str) -> None:
    assert parse([f"--{question}"]).question == question


def test_a_picture() -> None:
    asked = parse(["--picture", "docs/tokens.svg", "--loads", "300"])
    assert (asked.question, str(asked.picture)) == ("picture", "docs/tokens.svg")
    assert [each.name for each in asked.contenders] == [OURS, PASS_THROUGH]


def test_the_set_ups_of_a_start() -> None:
    assert parse(["--start"]).setups == SETUPS
    assert parse(["--start", "--setups", "hub, local"]).setups == ["hub", "local"]
    assert (parse(["--start"]).slow_s, parse(["--start", "--slow", "9.5"]).slow_s) == (18.0, 9.5)


def test_many_jobs() -> None:
    asked = parse(["--jobs", "20"])
    assert (asked.question, asked.jobs) == ("jobs", 20)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--loads", "many"], "'many' is no load"),
        (["--rounds", "0"], "'0' is no number from 1 on"),
        (["--rate", "0"], "'0' is not over 0"),
        (["--setups", "local,moon"], "'moon' is no set-up; there are process, local"),
        (["--slow", "0"], "'0' is not from 1 to 600 seconds"),
        (["--against", "/nowhere.py"], "there is no file '/nowhere.py'"),
        (["--also", "a"], "'a' is no contender"),
        (["--also", f"{OURS}=b"], "each contender needs a name of its own"),
        (["--short", "--capacity"], "not allowed with"),
    ],
)
def test_what_cannot_be_asked(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(given)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
