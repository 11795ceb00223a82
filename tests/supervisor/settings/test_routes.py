"""What is a route, and what only looks like one."""

from __future__ import annotations

import pytest

from supervisor.settings import parsers, routes


@pytest.mark.parametrize("text", ["/sleep", "/v1/x", "/v1/models/org:x", "/a-b/c_d/~e/1.2"])
def test_a_route(text: str) -> None:
    assert routes.is_route(text)


@pytest.mark.parametrize(
    "text", ["", "/", "sleep", "/v1/*", "/a//b", "/a/", "/a/../b", "/./a", "/a%2f", "/a b", "/a\n"]
)
def test_no_route(text: str) -> None:
    assert not routes.is_route(text)


def test_a_list_of_them() -> None:
    assert parsers.routes("/a, /b  /a,/c/d") == ("/a", "/b", "/c/d")
    assert parsers.routes(",") == ()
    with pytest.raises(ValueError, match=r"names /v1/\*, which is no route"):
        parsers.routes("/a /v1/*")
