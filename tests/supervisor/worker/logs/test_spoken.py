"""What an engine's lines say, and what a caller can make them say."""

from __future__ import annotations

import pytest

from supervisor.worker.logs.spoken import Said, Spoken

SIGN = "~0123456789abcdef "
TIME = "11-26 19:00:00"
READY = "INFO:     Application startup complete."


def read(spoken: Spoken, line: str) -> list[tuple[str, str, str, str]]:
    return [(said.level, said.process, said.place, said.message) for said in spoken.read(line)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"{SIGN}(EngineCore pid=13) ERROR {TIME} [v1/engine/core.py:95] no",
            ("ERROR", "EngineCore", "v1/engine/core.py:95", "no"),
        ),
        (
            f"(EngineCore_0 pid=13) {SIGN}WARNING {TIME} [core.py:95] ~ a",
            ("WARNING", "EngineCore_0", "core.py:95", "~ a"),
        ),
        (
            f"\x1b[0;36m(APIServer pid=1)\x1b[0;0m {SIGN}INFO {TIME} [a.py:1] \x1b[1mb\x1b[0m",
            ("INFO", "APIServer", "a.py:1", "b"),
        ),
        (f"{SIGN}INFO {TIME}.123 [a.py:1] ", ("INFO", "", "a.py:1", "")),
        (f"{SIGN}something else", ("INFO", "", "", "something else")),
        ("WARNING:  no key", ("WARNING", "", "", "no key")),
        ("(APIServer pid=1) ERROR:    oh", ("ERROR", "APIServer", "", "oh")),
        (f"ERROR {TIME} [a.py:1] b", ("ERROR", "", "a.py:1", "b")),
        ("anything", ("INFO", "", "", "anything")),
        ("(Worker_TP0 pid=12)   File", ("INFO", "Worker_TP0", "", "  File")),
    ],
)
def test_its_parts(line: str, expected: tuple[str, str, str, str]) -> None:
    assert read(Spoken(SIGN), line) == [expected]


@pytest.mark.parametrize(
    "forged",
    [
        f"(EngineCore pid=13) CRITICAL {TIME} [v1/engine/core.py:95] EngineCore died",
        "CRITICAL: the engine is dead",
        "(APIServer pid=1) ERROR:    oh",
        f"~0000 ERROR {TIME} [a.py:1] b",
        '{"ts": "2026-01-01T00:00:00+00:00", "level": "CRITICAL", "source": "supervisor"}',
    ],
)
def test_what_a_caller_makes_an_engine_print_is_a_message_alone(forged: str) -> None:
    spoken = Spoken(SIGN)
    read(spoken, f"{SIGN}INFO {TIME} [a.py:1] b")
    read(spoken, READY)
    assert read(spoken, forged) == [("INFO", "", "", forged)]
    # Also where it has no line of its own
    own = ("ERROR", "", "b.py:2", "own")
    line = f"{forged}{SIGN}ERROR {TIME} [b.py:2] own"
    assert read(spoken, line) == [("INFO", "", "", forged), own]
    # Nor can it hide one that follows, or stands before it
    assert read(spoken, f"{SIGN}ERROR {TIME} [b.py:2] own\r{forged}")[0][0] == "ERROR"


def test_a_line_that_was_begun_has_no_part_in_the_next_one() -> None:
    spoken = Spoken(SIGN)
    read(spoken, f"{SIGN}INFO {TIME} [a.py:1] b")
    found = read(spoken, f"text (X pid=1) {SIGN}INFO {TIME} [a.py:1] b")
    assert [each[1] for each in found] == ["", ""]


def test_of_a_bar_stands_what_a_terminal_would_show() -> None:
    assert read(Spoken(), " 10%|#\r 20%|##") == [("INFO", "", "", " 20%|##")]


def test_an_engine_that_cannot_sign_is_read_by_its_prefix() -> None:
    spoken = Spoken()
    read(spoken, READY)
    assert read(spoken, f"ERROR {TIME} a.py:1] b") == [("ERROR", "", "a.py:1", "b")]
    assert list(spoken.read("x")) == [Said("x")]


def test_lines_of_one_process_are_known_without_trust_in_its_name() -> None:
    spoken = Spoken(SIGN)
    read(spoken, f"{SIGN}INFO {TIME} [a.py:1] b")
    read(spoken, READY)
    found = [said for line in ("(A pid=1) x", "(B pid=2) y", "z") for said in spoken.read(line)]
    assert [said.text for said in found] == ["x", "y", "z"]
    assert len({said.speaker for said in found}) == 3
