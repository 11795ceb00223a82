"""Parameters that today's vLLM would leave out without a word."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.errors import InvalidInput
from proxy.request import dropped


@pytest.mark.parametrize(
    ("body", "name", "says"),
    [
        ({"best_of": 4}, "best_of", "best_of=4 has no effect in vLLM 0.32.0: ask for n"),
        ({"best_of": 4, "n": 2}, "best_of", "the width of a beam search is n"),
        ({"early_stopping": True}, "early_stopping", "early_stopping=True has no effect"),
        ({"early_stopping": "never"}, "early_stopping", "leave it out"),
        ({"guided_json": {"type": "object"}}, "guided_json", 'structured_outputs: {"json"'),
        ({"guided_choice": ["a"]}, "guided_choice", 'structured_outputs: {"choice"'),
        ({"guided_regex": "a+"}, "guided_regex", "guided_regex='a+' has no effect"),
        ({"guided_grammar": "g"}, "guided_grammar", "structured_outputs"),
    ],
)
def test_what_would_change_the_answer_is_refused(
    body: dict[str, Any], name: str, says: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        dropped.settle({"prompt": "x", **body}, "0.32.0")
    error = refused.value.as_object()
    assert (error["param"], error["code"]) == (name, 400)
    assert says in error["message"]
    with pytest.raises(InvalidInput):
        dropped.settle(body, None)


@pytest.mark.parametrize(
    "body",
    [
        {"best_of": None},
        {"best_of": 1},
        {"best_of": 3, "n": 3},
        {"best_of": 2, "n": "3"},
        {"best_of": "2", "n": 3},
        {"early_stopping": False},
        {"early_stopping": None},
        {"guided_json": None},
    ],
)
def test_what_changes_nothing_is_left_out(body: dict[str, Any]) -> None:
    kept = dropped.settle({"prompt": "x", "unknown": 1, **body}, "0.32.0")
    assert kept == {"prompt": "x", "unknown": 1, **{k: v for k, v in body.items() if k == "n"}}


@pytest.mark.parametrize(
    "body",
    [
        {"best_of": 4, "n": "3"},
        {"best_of": 2, "n": "a few"},
        {"best_of": 2, "n": [3]},
        {"best_of": "many" * 1000},
        {"best_of": 10**400},
        {"best_of": 2, "n": "9" * 5000},
        {"guided_regex": "a" * 100_000},
        {"early_stopping": {"a": []}},
    ],
)
def test_a_value_of_any_kind_is_shown_cut(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        dropped.settle(body, "0.32.0")
    assert len(str(refused.value)) < 300


def test_an_engine_that_has_it_gets_it() -> None:
    body = {"best_of": 4, "early_stopping": True, "guided_json": {}}
    assert dropped.settle(body, "0.6.2") == body
    assert dropped.settle({"guided_json": {}}, "0.10.2+cu128") == {"guided_json": {}}


def test_only_sampling_routes_are_looked_at() -> None:
    assert dropped.suspects("/v1/completions", {"best_of": 1})
    assert not dropped.suspects("/v1/completions", {"n": 1, "use_beam_search": True})
    assert not dropped.suspects("/v1/embeddings", {"best_of": 1})
