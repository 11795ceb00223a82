"""What each of OpenTelemetry's variables may say, as its specification has it."""

from __future__ import annotations

import pytest

from supervisor.settings.otel import checks
from supervisor.settings.otel.checks import Check


@pytest.mark.parametrize(
    ("check", "written"),
    [
        (checks.url, "http://c"),
        (checks.url, "https://me:word@[::1]:4318/in?x=1"),
        (checks.base, "https://me:word@[::1]:4318/otlp/"),
        (checks.protocol, "http/protobuf"),
        (checks.text, "caf\u00e9"),
        (checks.exporter, "OTLP"),
        (checks.pairs, "team=\u20ac,place=%E2%82%AC"),
        (checks.headers, "api-key=abc, x-tenant=a%20b,"),
        (checks.headers, "Authorization=Basic%20YWJj=="),
        (checks.headers, "Authorization=Bearer abc, x=caf%C3%A9"),
        (checks.among("gzip"), "GZIP"),
        (checks.number(0, 1, "number from 0 to 1"), "0.25"),
        (checks.number(1, 9, "whole number"), "9"),
    ],
)
def test_what_is_taken(check: Check, written: str) -> None:
    check(written)


@pytest.mark.parametrize(
    ("check", "written", "says"),
    [
        (checks.url, "http://:4318", "no address"),
        (checks.url, "http://[::1", "no address"),
        (checks.pairs, "=x", "no list"),
        (checks.pairs, "a key=x", "no list"),
        (checks.pairs, "a=%00", "does not show"),
        (checks.headers, "a=%0a", "does not show"),
        (checks.headers, "a=%E2%82%AC", "no header can hold"),
        (checks.headers, "a=%FF", "no header can hold"),
        (checks.headers, "a=\u00e9", "percent-encoded"),
        (checks.headers, 'a="b"', "percent-encoded"),
        (checks.headers, "cookie=a=b;c=d", "percent-encoded"),
        (checks.base, "http://c/?x=1", "no path can be added"),
        (checks.base, "c:4318", "no address"),
        (checks.url, "http://c/#x", "would not be sent"),
        (checks.text, "\udce9", "UTF-8"),
        (checks.number(1, 9, "whole number"), "1.5", "is not a whole number"),
        (checks.number(0, 1, "number from 0 to 1"), "inf", "is not a number from 0 to 1"),
    ],
)
def test_what_is_not(check: Check, written: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check(written)
