"""A caller's place in a trace is taken from where a caller can put it, if it is well formed."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.traces import context
from proxy.traces.context import Context

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "given",
    [
        {"traceparent": PARENT, "prompt": "x"},
        {"openai_route": "/v1/models", "traceparent": PARENT},
        {"openai_input": {"traceparent": PARENT}},
        {"route": "/x", "body": {"traceparent": PARENT, "tracestate": 1}},
        {"traceparent": f" {PARENT} ", "body": {"traceparent": "other"}},
    ],
)
def test_where_it_stands(given: Any) -> None:
    assert context.read(given) == Context(PARENT)


def test_a_state_goes_with_it_and_never_alone() -> None:
    found = context.read({"traceparent": PARENT, "tracestate": "a=1,b=2"})
    assert found is not None
    assert found.headers == {"traceparent": PARENT, "tracestate": "a=1,b=2"}
    assert context.read({"tracestate": "a=1"}) is None


@pytest.mark.parametrize("state", ["a=1\r\nX-Evil: 1", "a=\N{SNOWMAN}", "x" * 513, ["a=1"]])
def test_a_state_that_no_header_holds_is_left_out(state: Any) -> None:
    assert context.read({"traceparent": PARENT, "tracestate": state}) == Context(PARENT)


@pytest.mark.parametrize(
    "parent",
    [
        *("", "x", 7, None, PARENT.upper(), PARENT + "-more", PARENT + "\n", "ff" + PARENT[2:]),
        "00-" + 32 * "0" + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + 16 * "0" + "-01",
        "01" + PARENT[2:] + "-a\r\nX-Evil: 1",
        "01" + PARENT[2:] + "-" + 70_000 * "a",  # no engine takes such a header
        "\u0660" + PARENT[1:],
    ],
)
def test_what_is_not_well_formed_names_no_trace(parent: Any) -> None:
    found = context.read({"traceparent": parent})
    assert found is None or found.parent == PARENT  # a line end around it is white space


def test_a_later_version_may_say_more() -> None:
    assert context.read({"traceparent": "01" + PARENT[2:] + "-more"}) is not None


@pytest.mark.parametrize("given", [None, [], "x", {"openai_input": [PARENT]}, {"body": None}])
def test_any_input_is_taken(given: Any) -> None:
    assert context.read(given) is None
