"""The report as a person reads it."""

from __future__ import annotations

from supervisor.doctor import Line, Verdict, report

LINES = [
    Line("engine", Verdict.GOOD, "vLLM 1"),
    Line("settings", Verdict.WARNING, "A has no effect", "unset it"),
    Line("disk", Verdict.BAD, "0.1 GB free", "free some space"),
    Line("model", Verdict.UNKNOWN, "not asked", "fix the lines above first"),
]


def test_a_line_for_each_with_its_remedy() -> None:
    assert report(LINES).splitlines() == [
        "good     engine    vLLM 1",
        "warning  settings  A has no effect; unset it",
        "bad      disk      0.1 GB free; free some space",
        "unknown  model     not asked; fix the lines above first",
    ]


def test_only_the_verdict_is_coloured() -> None:
    line = report(LINES[:1], colour=True)
    assert line == "\033[32mgood   \033[0m  engine  vLLM 1\n"
