"""Parameters that an engine's version would leave out without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.errors import InvalidInput
from proxy.request import dropped, schema

NAMES = [
    "best_of", "early_stopping", "guided_json", "guided_regex", "guided_choice", "guided_grammar",
    "guided_whitespace_pattern", "structural_tag", "guided_decoding_backend", "structured_outputs",
]  # fmt: skip


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
        ({"guided_whitespace_pattern": " ?"}, "guided_whitespace_pattern", '"whitespace_pattern"'),
        ({"structural_tag": "{}"}, "structural_tag", 'structured_outputs: {"structural_tag"'),
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


@pytest.mark.parametrize("version", ["0.6.2", "0.8.5", "0.10.2+cpu"])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"json": {"type": "object"}}, "give guided_json, beside the other parameters"),
        ({"regex": "a+", "whitespace_pattern": " ?"},
         "give guided_regex and guided_whitespace_pattern, beside"),
        ({"choice": ["a"], "json": None}, "give guided_choice, beside"),
        ({"json_object": True}, 'give response_format: {"type": "json_object"}, beside'),
        ({"structural_tag": "x"}, "give guided_json, guided_regex, guided_choice or guided_gr"),
        ("a+", "give guided_json, guided_regex"),
    ],
)  # fmt: skip
def test_what_a_version_has_not_yet_is_said_in_its_own_words(
    version: str, value: Any, says: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        dropped.settle({"prompt": "x", "structured_outputs": value}, version)
    assert refused.value.param == "structured_outputs"
    assert f"has no effect in vLLM {version}: {says}" in str(refused.value)


def test_what_is_not_new_any_more_is_sent_as_it_is() -> None:
    body = {"prompt": "x", "structured_outputs": {"json": {}}}
    assert all(dropped.settle(body, version) == body for version in ("0.11.0", "0.32.0", None))
    assert dropped.settle({"structured_outputs": None}, "0.10.2") == {}
    assert dropped.settle({"structured_outputs": {}}, "0.10.2") == {}


@pytest.mark.parametrize("version", ["0.8.5", "0.10.2", "0.32.0"])
def test_each_is_dropped_where_the_real_engine_does_not_know_it(version: str) -> None:
    """By the documents of real engines; best_of is known to 0.10, and refused by its engine."""
    document = Path(__file__).with_name(f"openapi-{version}.json").read_bytes()
    found = schema.parsed(document)
    assert found is not None
    names = found.names["/v1/chat/completions"]
    assert names is not None
    for name in NAMES:
        if (name, version) == ("best_of", "0.10.2"):
            continue
        try:
            kept = name in dropped.settle({name: "9"}, version)
        except InvalidInput:
            kept = False
        assert kept == (name in names), name


def test_only_sampling_routes_are_looked_at() -> None:
    assert dropped.suspects("/v1/completions", {"best_of": 1})
    assert not dropped.suspects("/v1/completions", {"n": 1, "use_beam_search": True})
    assert not dropped.suspects("/v1/embeddings", {"best_of": 1})
