"""A small `make fuzz`, always with the same seed: what it finds once it finds again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import fuzz


@pytest.mark.slow
def test_broken_jobs_and_disguised_routes(tmp_path: Path) -> None:
    outcome = fuzz.run(jobs=300, routes=200, seed=1, folder=tmp_path)
    assert outcome.wrong == []
    assert outcome.ends["COMPLETED"] > 50
    assert outcome.ends["FAILED"] > 150


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"status": "IN_PROGRESS", "done": 0}, "it is IN_PROGRESS"),
        ({"status": "COMPLETED", "done": 2, "output": []}, "it was reported 2 times"),
        ({"status": "COMPLETED", "done": 1, "output": [f"x {fuzz.KEY}"]}, "a secret was told"),
        ({"status": "FAILED", "done": 1, "error": "Traceback (most"}, "a traceback was told"),
        ({"status": "FAILED", "done": 1, "error": "oh"}, "an error that is no JSON"),
        ({"status": "FAILED", "done": 1, "error": "[]"}, "an error that is no error object"),
    ],
)
def test_what_is_wrong_is_seen(found: dict[str, object], why: str) -> None:
    outcome = fuzz.Outcome()
    outcome.took("x", found)
    assert outcome.wrong[0].startswith(why)


def test_what_is_right_is_not_wrong() -> None:
    outcome = fuzz.Outcome()
    outcome.took("x", {"status": "COMPLETED", "done": 1, "output": [{"text": "w0"}]})
    error = '{"message": "no", "type": "t", "param": null, "code": 400}'
    outcome.took("x", {"status": "FAILED", "done": 1, "error": error})
    assert outcome.wrong == []
    assert not fuzz.is_offered("/v1/models/../metrics")
    assert fuzz.is_offered("/v1/chat/completions")
