"""The line of every minute; that of a real worker in tests/test_metrics.py."""

from __future__ import annotations

from supervisor.link.figures import Figures
from supervisor.worker.metrics.names import KV_CACHE
from supervisor.worker.metrics.summary import Summary


def lines(summary: Summary, figures: Figures, times: range) -> list[str]:
    """What is said while the figures stay as they are, looked at once a second."""
    copies = (Figures.read(figures.as_json()) for _ in times)
    said = (
        summary.see(one, 3, {KV_CACHE: 0.345}, float(now))
        for one, now in zip(copies, times, strict=True)
    )
    return [line for line in said if line is not None]


def test_a_minute_with_work_has_one_line() -> None:
    summary, figures = Summary(), Figures()
    summary.see(Figures(), 2, {}, 0.0)
    figures.taken, figures.jobs = 4, 2
    assert lines(summary, figures, range(100, 130)) == []
    figures.answered, figures.failed, figures.tokens = 1, 1, 600
    for _ in range(19):
        figures.first_token.observe(0.03)
    figures.first_token.observe(3.0)
    (line,) = lines(summary, figures, range(130, 161))
    jobs, tokens, first, cache, restarts = line.split("; ")
    assert jobs == "last 60 s: jobs: 1 answered, 1 failed, 0 cancelled, 2 in hand"
    assert tokens == "10 tokens/s"
    assert first == "first token: 0.03 s (p50), 0.04 s (p95)"
    assert (cache, restarts) == ("KV cache: 34 %", "restarts of the engine: 1")
    figures.jobs, figures.answered = 0, 3
    (line,) = lines(summary, figures, range(161, 221))
    assert line.startswith("last 60 s: jobs: 2 answered, 0 failed, 0 cancelled, 0 in hand; 0 tok")
    assert line.endswith("restarts of the engine: 0")
    assert "first token" not in line
    assert lines(summary, figures, range(221, 1000)) == [], "there is no work any more"


def test_a_job_that_came_and_went_between_two_looks_is_told() -> None:
    summary = Summary()
    assert lines(summary, Figures(), range(100)) == []
    assert lines(summary, Figures(taken=1), range(100, 200)) == [], "it asked the worker itself"
    figures = Figures(taken=2, cancelled=1)
    figures.ended["cancelled other"] += 1
    (line,) = lines(summary, figures, range(200, 300))
    assert line.startswith("last 60 s: jobs: 0 answered, 0 failed, 1 cancelled, 0 in hand; 0 tok")


def test_what_is_not_known_is_left_out() -> None:
    summary = Summary(every=1.0)
    summary.see(Figures(taken=1, jobs=1), 0, {}, 0.0)
    line = summary.see(Figures(taken=1, jobs=1), 0, {}, 1.0)
    assert line is not None
    assert "KV" not in line
    assert "first token" not in line
