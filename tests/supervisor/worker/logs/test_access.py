"""The engine's access log, folded."""

from __future__ import annotations

import pytest

from supervisor.worker.logs.access import Access
from tests.supervisor.worker.logs.clock import Clock


def line(asked: str, status: str = "200 OK") -> bytes:
    return f'(APIServer pid=7) INFO:     127.0.0.1:43210 - "{asked} HTTP/1.1" {status}'.encode()


CHAT = "POST /v1/chat/completions"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def access(told: list[str], clock: Clock) -> Access:
    return Access(told.append, clock)


def test_many_answers_become_one_line(access: Access, told: list[str], clock: Clock) -> None:
    assert access.left is None
    assert all(access.takes(line(CHAT)) for _ in range(1000))
    assert access.takes(line("GET /v1/models?key=secret"))
    assert access.left == 5.0, "soon after a quiet time"
    access.tell()
    assert told == []
    clock.now += 5
    access.tell()
    assert told == [
        f"the engine answered 1001 requests in 5 s: 1000 {CHAT} 200, 1 GET /v1/models 200"
    ]
    assert access.takes(line(CHAT))
    assert access.left == 60.0, "then once a minute"
    access.tell_rest()
    assert told[1:] == [f"the engine answered 1 request in 0 s: 1 {CHAT} 200"]
    assert access.left is None


@pytest.mark.parametrize(
    "one",
    [
        b'INFO:     127.0.0.1:1 - "GET / HTTP/1.0" 204',
        b'\x1b[32mINFO\x1b[0m:     ::1:1 - "\x1b[1mGET / HTTP/1.1\x1b[0m" \x1b[32m200 OK\x1b[0m\r',
        b'INFO:      - "GET / HTTP/1.1" 307 Temporary Redirect\n',
    ],
)
def test_the_forms_of_uvicorn(access: Access, one: bytes) -> None:
    assert access.takes(one)


@pytest.mark.parametrize(
    "one",
    [
        b'INFO 11-26 [x.py:1] asked "POST / HTTP/1.1" 200 OK',
        b'ERROR:     127.0.0.1:1 - "GET / HTTP/1.1" 200 OK',
        b'INFO:     127.0.0.1:1 - "GET /a b HTTP/1.1" 200 OK',
        b'INFO:     127.0.0.1:1 - "GET / HTTP/1.1" 200 OK and more: 1',
        b"",
    ],
)
def test_other_lines_stay(access: Access, one: bytes) -> None:
    assert not access.takes(one)


def test_answers_that_failed_are_shown_until_there_are_very_many(
    access: Access, told: list[str], clock: Clock
) -> None:
    hidden = [access.takes(line(f"GET /{number}", "404 Not Found")) for number in range(1000)]
    assert hidden == [False] * 10 + [True] * 990
    assert not access.takes(line(CHAT, "500 Internal Server Error"))
    clock.now += 60
    access.tell()
    assert told[0].startswith("the engine answered 990 requests in 60 s: ")
    assert told[0].count("404") == 8, "it is one line of a sensible length"
    assert not access.takes(line("GET /x", "404 Not Found")), "a new minute"


def test_a_path_cannot_say_that_it_went_well(access: Access) -> None:
    assert not access.takes(line('GET /?"HTTP/1.1"200', "401 Unauthorized"))
    assert not access.takes(line("GET /x", '200 OK" 500 Internal Server Error'))


def test_probes_alone_are_told_once_an_hour(access: Access, told: list[str], clock: Clock) -> None:
    for _ in range(720):
        assert access.takes(line("GET /health"))
        clock.now += 4
        access.tell()
    assert told == []
    clock.now += 720
    access.tell()
    assert told == ["the engine answered 720 requests in 3600 s: 720 GET /health 200"]
