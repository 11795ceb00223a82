"""A route is a path on the list and nothing else."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from proxy.errors import InvalidInput, RouteRefused
from proxy.request import routes


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
        # another scheme, another host
        "https://evil.example/v1/models",
        "HTTP://evil.example/",
        "http:/evil.example/",
        "http:evil.example",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/",
        "ws://evil.example/",
        "///evil.example",
        "/\\evil.example/x",
        "\\\\evil.example\\x",
        "evil.example/v1/models",
        "@evil.example/v1/models",
        "/@evil.example/v1/models",
        "user:pass@evil.example",
        "http://127.0.0.1:8000@evil.example/",
        # out of the path
        "/..",
        "/../../etc/passwd",
        "/v1/./models",
        "/v1/models/../../sleep",
        "/v1/models/.",
        "/v1/%2e%2e/sleep",
        "/v1/%252e%252e/sleep",
        "/v1/..%2fsleep",
        "/v1/models%2f..%2f..%2fsleep",
        "/v1/models/..;/sleep",
        "/v1/models;x=1",
        "/v1/..\\sleep",
        "/v1/\u2025/sleep",
        "/v1/\uff0e\uff0e/sleep",
        "/v1/mod\u200bels",
        # a second request, a header, an end
        "/v1/models HTTP/1.1\r\nX: y\r\n\r\nGET /sleep",
        "/v1/models\nX: y",
        "/v1/models\rX",
        "/v1/models%0d%0aX: y",
        "/v1/models\t",
        "\t/v1/models",
        "/v1/models\x7f",
        "/v1/models\x0b",
        # a query of its own
        "/v1/models?",
        "/v1/models%3fx=1",
        "/v1/models&x=1",
        "*",
        "/",
        "?",
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


@pytest.mark.parametrize("route", ["/worker/status", "/worker/metrics"])
def test_the_workers_own_are_offered_by_a_setting_of_theirs(route: str) -> None:
    for spelled in (route, f"/openai{route}"):
        with pytest.raises(RouteRefused, match="WORKER_ROUTES=1"):
            routes.check(spelled)
    assert routes.methods(route) == ("GET",)


@pytest.mark.parametrize(
    "route",
    [
        "/v1/responses/render",
        "/v1/chat/completions/render",
        "/v1/completions/derender",
        "/v1/messages/render",
        "/inference/v1/generate",
        "/v1/responses/resp_1/cancel",
        "/v1/unload_lora_adapter",
        "/scale_elastic_ep",
        "/pause",
        "/collective_rpc",
        "/openai/sleep",
    ],
)
def test_what_else_a_real_engine_serves_is_not_offered(route: str) -> None:
    with pytest.raises(RouteRefused, match="is not offered"):
        routes.check(route)


def test_the_platforms_own_address() -> None:
    """Its callers know a route as /openai/v1/..., and the engine as /v1/..."""
    assert routes.check("/openai/v1/chat/completions") == "/v1/chat/completions"
    assert routes.check("/openai/v1/x", frozenset({"/v1/x"})) == "/v1/x"
    assert routes.check("/openai/v1/x", frozenset({"/openai/v1/x"})) == "/openai/v1/x"
    for route in ("/openai/openai/v1/models", "/openai", "/openai/"):
        with pytest.raises(RouteRefused):
            routes.check(route)


@pytest.mark.parametrize("route", ["/v1/models/" + "x" * 5_000_000, "/" * 5_000_000])
def test_a_route_of_any_length_is_no_path(route: str) -> None:
    with pytest.raises(RouteRefused, match="is not a path") as refused:
        routes.check(route, frozenset({route}))
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("route", "taken"),
    [
        ("/v1/chat/completions", ("POST",)),
        ("/v1/models", ("GET",)),
        ("/v1/models/org/name", ("GET",)),
        ("/v1/responses/resp_1", ("GET",)),
        ("/ping", ("GET", "POST")),
        ("/metrics", None),
    ],
)
def test_methods(route: str, taken: tuple[str, ...] | None) -> None:
    assert routes.methods(route) == taken


def test_the_method_that_is_said_or_the_usual_one() -> None:
    assert routes.chosen("/ping", ("GET", "POST"), None) == "GET"
    assert routes.chosen("/ping", ("GET", "POST"), "POST") == "POST"
    with pytest.raises(InvalidInput, match="the route /version takes GET, not POST"):
        routes.chosen("/version", ("GET",), "POST")


@given(st.one_of(st.text(max_size=40), st.from_regex(r"/?[/v1a-z%.:@?#\\\\ -]{0,40}")))
@settings(max_examples=300)
def test_whatever_is_accepted_stays_at_the_engine(route: str) -> None:
    """Allowed by name or not: put behind the engine's address, it is that path and nothing else."""
    try:
        accepted = routes.check(route, frozenset({route}))
    except RouteRefused:
        return
    assert accepted == route
    url = f"http://127.0.0.1:8000{accepted}"
    for found in (urlsplit(url), urlsplit(str(URL(url)))):
        assert (found.scheme, found.netloc) == ("http", "127.0.0.1:8000")
        assert (found.path, found.query, found.fragment) == (route, "", "")
