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
        (checks.protocol, "http/protobuf"),
        (checks.exporter, "OTLP"),
        (checks.pairs, "api-key=abc, x-tenant=a%20b,"),
        (checks.pairs, "Authorization=Basic%20YWJj=="),
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
        (checks.number(1, 9, "whole number"), "1.5", "is not a whole number"),
        (checks.number(0, 1, "number from 0 to 1"), "inf", "is not a number from 0 to 1"),
    ],
)
def test_what_is_not(check: Check, written: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check(written)
