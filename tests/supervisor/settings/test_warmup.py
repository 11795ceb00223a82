"""A file of WARMUP is read line by line, and what is wrong is named with its line."""

from __future__ import annotations

import json

import pytest

from supervisor.settings.warmup import EXAMPLE, Request, requests

CHAT = '{"route": "/v1/chat/completions", "body": {"messages": []}}'


def test_one_request_on_each_line() -> None:
    text = f'\ufeff{CHAT}\r\n\n  \n{{"body": {{}}, "route": "/classify"}}'
    assert requests(text) == (
        Request("/v1/chat/completions", {"messages": []}),
        Request("/classify", {}),
    )


def test_a_line_break_is_no_other_character() -> None:
    text = '{"route": "/classify", "body": {"input": "a\u2028b\x85c"}}'
    assert requests(text)[0].body == {"input": "a\u2028b\x85c"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("hello", "is no JSON (Expecting value: column 1)"),
        ('{"route": "/classify",}', "is no JSON ("),
        ('{"route": "/classify", "body": {"n": NaN}}', "is no JSON that can be read"),
        ("[" * 100_000, "is no JSON that can be read"),
        ("1" * 5000, "is no JSON that can be read"),
        ("[]", "is a list, not an object with a route and a body"),
        ("null", "is null, not an object"),
        ("true", "is a boolean, not an object"),
        ("7", "is a number, not an object"),
        ('"x"', "is a text, not an object"),
        ('{"route": "/classify"}', "has no body"),
        ('{"body": {}}', "has no route"),
        ('{"route": "/classify", "body": {}, "times": 3}', 'has a key "times" beside'),
        ('{"route": "/classify", "body": []}', "has a list as its body"),
        ('{"route": "/sleep", "body": {}}', 'asks for "/sleep", which is neither a route for'),
        ('{"route": "classify", "body": {}}', 'asks for "classify", which is neither'),
        ('{"route": {}, "body": {}}', "asks for {}, which is neither"),
        ('{"route": "http://other/v1/completions", "body": {}}', "which is neither"),
        ('{"route": "/v1/audio/transcriptions", "body": {}}', "takes a form instead of JSON"),
    ],
)
def test_the_line_that_is_wrong_is_named(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match="is not used: line 3 ") as caught:
        requests(f"{CHAT}\n\n{line}\n{CHAT}")
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_a_request(text: str) -> None:
    with pytest.raises(ValueError, match="has no request in it"):
        requests(text)


def test_routes_that_the_worker_offers_beside_inference() -> None:
    line = json.dumps({"route": "/v1/own", "body": {}})
    assert requests(line, frozenset({"/v1/own"})) == (Request("/v1/own", {}),)


def test_what_a_request_says_is_not_shown() -> None:
    assert "secret" not in repr(requests('{"route": "/classify", "body": {"input": "secret"}}'))


def test_the_example_is_one() -> None:
    (found,) = requests(EXAMPLE.replace("[...]", "[]"))
    assert found.route == "/v1/chat/completions"
