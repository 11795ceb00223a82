"""The cause of a failure is found behind those that wrap it."""

from __future__ import annotations

import socket
import ssl
from http.client import BadStatusLine

import pytest

from supervisor.telemetry.causes import innermost, told


def wrapped(*reasons: BaseException) -> BaseException:
    """The last one in the one before it, and so on."""
    outer, *others = reasons
    if others:
        outer.args = (*outer.args, wrapped(*others))
    return outer


REFUSED = ConnectionRefusedError(111, "Connection refused")


def test_the_innermost_one_counts() -> None:
    assert innermost(wrapped(OSError("a"), ValueError("b"), REFUSED)) is REFUSED
    caused = OSError("a")
    caused.__cause__ = REFUSED
    assert innermost(wrapped(ValueError("b"), caused)) is REFUSED


def test_a_circle_ends() -> None:
    one, other = OSError("a"), OSError("b")
    one.__cause__, other.__cause__ = other, one
    assert told(one) in {"a", "b"}


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        (REFUSED, "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (TimeoutError("The read operation timed out"), "timed out"),
        (BadStatusLine("what the other side says"), "no HTTP comes back (BadStatusLine)"),
        (
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"),
            "[SSL: WRONG_VERSION_NUMBER] wrong version number",
        ),
        (OSError("no bundle\n at /ca"), "no bundle at /ca"),
        (
            OSError("Tunnel connection failed: 407 \x1b[31mwhat a proxy says\x9b"),
            "Tunnel connection failed: 407",
        ),
        (ValueError(), "ValueError"),
    ],
)
def test_it_is_told_in_few_words(reason: BaseException, why: str) -> None:
    assert told(wrapped(OSError("outer"), reason)) == why
