"""A route is a path on the list and nothing else."""

from __future__ import annotations

import pytest

from proxy import routes
from proxy.errors import RouteRefused


@pytest.mark.parametrize(
    "route",
    ["/v1/chat/completions", "/v1/models", "/v1/models/org/name-7b:x", "/tokenize", "/v1/rerank"],
)
def test_offered(route: str) -> None:
    assert routes.check(route) == route


@pytest.mark.parametrize(
    "route",
    [
        "",
        "v1/models",
        "//evil.example/v1/models",
        "http://evil.example/",
        "/v1/../metrics",
        "/v1/models/..",
        "/v1/models/%2e%2e/x",
        "/v1/models?x=http://evil",
        "/v1/models#x",
        "/v1/models\r\nHost: evil",
        "/v1/models\x00",
        "/v1/@evil.example",
        "/v1\\models",
        "/v1/models ",
        "/v1/models/",
        "/v1//models",
    ],
)
def test_no_path(route: str) -> None:
    with pytest.raises(RouteRefused, match="is not a path"):
        routes.check(route)


@pytest.mark.parametrize("route", ["/sleep", "/v1/load_lora_adapter", "/abort_requests", "/docs"])
def test_not_offered_unless_named(route: str) -> None:
    with pytest.raises(RouteRefused, match="ALLOWED_ROUTES"):
        routes.check(route)
    assert routes.check(route, frozenset({route})) == route
