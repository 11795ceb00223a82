"""A body that can be sent, and the field in one that cannot."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import InvalidInput
from proxy.request import sendable
from proxy.request.sendable import MOST_DEPTH


def nested(levels: int, inmost: Any = 0) -> Any:
    for _ in range(levels):
        inmost = [inmost]
    return inmost


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"a": math.nan}, "a", "a is nan, which is no number in JSON"),
        ({"a": [1, {"b": -math.inf}]}, "a.1.b", "a.1.b is -inf"),
        ({"m": [{"content": "ab\ud83d"}]}, "m.0.content", r"surrogate pair, '\ud83d', at 2"),
        ({"m": {"\udc00": 1}}, "m.\\udc00", r"m.\udc00 is a name with half a surrogate pair"),
        ({"\udc00": 1}, "\\udc00", r"\udc00 is a name with half a surrogate pair"),
        ({"n": 2**64}, "n", "n is a number of more than 64 bits"),
        ({"n": -(2**63) - 1}, "n", "n is a number of more than 64 bits"),
        ({"t": {"most": 10**100}}, "t.most", "about 101 digits, and 100 are the most"),
        ({"t": [-(10**4200)]}, "t.0", "about 4201 digits"),
        ({"x": nested(MOST_DEPTH)}, "x", "x has more than 300 objects and lists"),
        ({"x": nested(100_000)}, "x", "x has more than 300 objects and lists"),
        ({"ok": 1, "x": {"y" * 500: math.nan}}, "x." + "y" * 98 + "...", "is nan"),
    ],
)
def test_what_cannot_be_sent_is_named(body: dict[str, Any], field: str | None, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        sendable.encoded(body)
    assert caught.value.param == field
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300
    caught.value.as_json().encode()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"n": 2**64 - 1, "m": -(2**63), "yes": True},
        {"schema": {"maximum": 10**28}},  # what .NET says of a decimal
        {"x": nested(MOST_DEPTH - 1)},
        {"x": "[" * 5000 + "9" * 5000},  # in text all of it may stand
        {"x": [[] for _ in range(5000)], "y": "{" * 400},
        {"text": "é\U0001f600\x00\u2028"},
    ],
)
def test_what_can_be_sent_arrives(body: dict[str, Any]) -> None:
    assert json.loads(sendable.encoded(body)) == body


def test_where_very_much_stands_before_the_fault_no_field_is_named() -> None:
    """Nobody else's stream waits while it is looked for."""
    with pytest.raises(InvalidInput, match="somewhere in the input") as caught:
        sendable.encoded({"x": [0.5] * 1_000_000, "y": math.nan})
    assert caught.value.param is None


def test_a_model_is_added() -> None:
    for body in ({}, {"a": 1}, {"a": {"b": []}, "c": "}"}):
        content = sendable.with_model(sendable.encoded(body), 'the "model"')
        assert json.loads(content) == {"model": 'the "model"', **body}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=20,
)
WRONG = st.sampled_from([math.nan, math.inf, "\ud83d", 10**200, {"\ud83d": 1}, nested(300)])


@given(st.dictionaries(st.text(), ANY))
def test_whatever_json_holds_is_sent_as_it_is_or_named(body: dict[str, Any]) -> None:
    try:
        content = sendable.encoded(body)
    except InvalidInput as reason:
        reason.as_json().encode()
    else:
        assert json.loads(content) == body


@given(st.dictionaries(st.text(), ANY, max_size=3), WRONG)
def test_what_cannot_be_sent_is_never_sent(body: dict[str, Any], wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        sendable.encoded({**body, "in": [{"here": wrong}]})
