"""What the text of a setting may say, and the sentence's end where it may not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from supervisor.settings import parsers
from supervisor.settings.mode import Mode


@pytest.mark.parametrize(
    ("parse", "written", "value"),
    [
        (parsers.text, "a b", "a b"),
        (parsers.token, "s3cret-._~+/=", "s3cret-._~+/="),
        (parsers.mode, "Queue", Mode.QUEUE),
        (parsers.mode, "load-balancer", Mode.LOAD_BALANCER),
        (parsers.command, "python -m 'my engine'", "python -m 'my engine'"),
        (parsers.port, "1", 1),
        (parsers.port, "65535", 65535),
        (parsers.count, "0", 0),
        (parsers.positive, "1", 1),
        (parsers.seconds, "0", 0.0),
        (parsers.seconds, "1e3", 1000.0),
        (parsers.some_seconds, "0.5", 0.5),
        (parsers.amount, "79.6", 79.6),
        (parsers.latency, "auto", None),
        (parsers.latency, "0", 0.0),
        (parsers.growth, "1", 1.0),
        (parsers.domains, "A.example b_c.example,", ("a.example", "b_c.example")),
        (parsers.domains, '["a.example", "a.example"]', ("a.example",)),
        (parsers.warmup, "yes", True),
        (parsers.warmup, "0", False),
        (parsers.warmup, "/data/requests.jsonl", "/data/requests.jsonl"),
    ],
)
def test_what_is_accepted(parse: Callable[[str], object], written: str, value: object) -> None:
    assert parse(written) == value


@pytest.mark.parametrize("written", ["true", "1", "YES", "y", "on", "T"])
def test_true_in_the_spellings_that_users_write(written: str) -> None:
    assert parsers.boolean(written) is True


@pytest.mark.parametrize("written", ["false", "0", "No", "n", "OFF", "f"])
def test_false_in_the_spellings_that_users_write(written: str) -> None:
    assert parsers.boolean(written) is False


@pytest.mark.parametrize(
    ("written", "on"), [("off", False), ("0", False), ("No", False), ("1", True), ("prod", True)]
)
def test_a_name_that_others_use_is_on_unless_it_says_off(written: str, on: bool) -> None:
    assert parsers.unless_off(written) is on


@pytest.mark.parametrize(
    ("parse", "written", "reason"),
    [
        (parsers.mode, "serverless", "is not one of queue, load-balancer, plain"),
        (parsers.command, "vllm 'serve", "is not a command; a quote may be open"),
        (parsers.command, "''", "is not a command; a quote may be open"),
        (parsers.domains, "https://a.example", "is no list of host names"),
        (parsers.domains, "a.example:443", "is no list of host names"),
        (parsers.domains, "*.a.example", "is no list of host names"),
        (parsers.domains, '["a.example", 1]', "is no list of host names"),
        (parsers.domains, '["a.example"', "is no list of host names"),
        (parsers.domains, ",", "is no list of host names"),
        (parsers.boolean, "maybe", "is neither true nor false"),
        (parsers.port, "0", "is not a port number from 1 to 65535"),
        (parsers.port, "65536", "is not a port number from 1 to 65535"),
        (parsers.port, "http", "is not a port number from 1 to 65535"),
        (parsers.count, "-1", "is not a whole number of 0 or more"),
        (parsers.count, "1.0", "is not a whole number of 0 or more"),
        (parsers.positive, "0", "is not a whole number of 1 or more"),
        (parsers.amount, "0", "is not a number above 0"),
        (parsers.amount, "24GB", "is not a number above 0"),
        (parsers.seconds, "-0.1", "is not a number of seconds, 0 or more"),
        (parsers.seconds, "nan", "is not a number of seconds, 0 or more"),
        (parsers.seconds, "inf", "is not a number of seconds, 0 or more"),
        (parsers.seconds, "1 h", "is not a number of seconds, 0 or more"),
        (
            parsers.folder,
            "models",
            "is a relative path, and the engine runs in another folder; give",
        ),
        (parsers.folder, "./models", "is a relative path"),
        (parsers.some_seconds, "0", "is not a number of seconds above 0"),
        (parsers.some_seconds, "-1", "is not a number of seconds above 0"),
        (parsers.latency, "never", "is neither auto nor a number of milliseconds, 0 or more"),
        (parsers.growth, "0.9", "is not a factor of 1 or more"),
        (parsers.growth, "fast", "is not a factor of 1 or more"),
        (parsers.warmup, "requests.jsonl", "is neither 1 nor 0, nor the absolute path of a file"),
    ],
)
def test_the_reason_says_what_is_accepted(
    parse: Callable[[str], object], written: str, reason: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its words are asserted
        parse(written)
    assert str(caught.value).startswith(reason)
