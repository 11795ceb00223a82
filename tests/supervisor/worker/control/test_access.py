"""Who may ask for /status and /metrics."""

from __future__ import annotations

import pytest

from supervisor.worker.control.access import Access, is_loopback
from supervisor.worker.control.message import Question

TOKEN = "a-Token_1"


def asked(peer: str = "127.0.0.1", host: str | None = "localhost", given: bytes = b"") -> Question:
    return Question("GET", "/status", host=host, authorization=given, peer=peer)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:8001", "127.0.0.1", "127.0.0.1:8001", "127.0.0.9:1", "[::1]:8001"],
)
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_ask_by_its_own_names(peer: str, host: str) -> None:
    assert Access(None, "127.0.0.1").refusal(asked(peer, host)) is None


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8001",
        "localhost.evil.example",
        "127.0.0.1.nip.io:8001",
        "127.0.0.1@evil.example",
        "evil.example#localhost",
        "localhost, evil.example",
        "10.0.0.5:8001",
        "0.0.0.0:8001",
        "[::1",
        "[::1].evil.example",
        "::1",
        "2130706433",
        "localhost:8001:80",
    ],
)
def test_a_page_of_another_name_may_not(host: str | None) -> None:
    """A browser on this machine asks under the name of its page, which can be made to lead here."""
    refusal = Access(None, "127.0.0.1").refusal(asked(host=host))
    assert refusal is not None
    assert refusal.status == 403
    assert b"the Host header is no name of this machine" in refusal.body


def test_its_own_name_is_what_it_listens_on() -> None:
    assert Access(None, "Worker-1").refusal(asked(host="worker-1:8001")) is None


@pytest.mark.parametrize("peer", ["10.0.0.5", "172.17.0.1", "fe80::1", "::ffff:10.0.0.5", ""])
def test_nobody_else_may_without_a_token(peer: str) -> None:
    refusal = Access(None, "10.0.0.5").refusal(asked(peer))
    assert refusal is not None
    assert refusal.status == 403
    assert b"CONTROL_TOKEN" in refusal.body


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.5"])
def test_with_a_token_whoever_sends_it_may_and_nobody_else(peer: str) -> None:
    access = Access(TOKEN, "127.0.0.1")
    for given in (f"Bearer {TOKEN}", f"bearer  {TOKEN} "):
        assert access.refusal(asked(peer, "any.name", given.encode())) is None
    for wrong in ("", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN}x", "Bearer é"):
        refusal = access.refusal(asked(peer, "localhost", wrong.encode()))
        assert refusal is not None, wrong
        assert refusal.status == 401
        assert TOKEN.encode() not in refusal.wire(keeps=True)


def test_what_is_loopback() -> None:
    assert [is_loopback(each) for each in ("127.0.0.1", "::1", "::ffff:127.0.0.1")] == [True] * 3
    assert not any(map(is_loopback, ("", "localhost", "1.2.3.4", "::", "0.0.0.0")))  # noqa: S104
