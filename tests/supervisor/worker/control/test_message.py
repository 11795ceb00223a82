"""Answers as bytes."""

from __future__ import annotations

from supervisor.worker.control.message import Answer


def test_an_answer_says_how_long_it_is_and_whether_the_connection_stays() -> None:
    head, body = Answer.json({"a": 1}).wire(keeps=True).split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nDate: ")
    assert head.endswith(b"\r\nContent-Length: 8\r\nContent-Type: application/json; charset=utf-8")
    assert body == b'{"a": 1}'
    assert b"\r\nConnection: close\r\n" in Answer(200, b"x").wire(keeps=False)


def test_no_content_has_no_length_and_head_no_body() -> None:
    assert b"Content-Length" not in Answer(204).wire(keeps=True)
    headed = Answer(200, b"abc").wire(keeps=True, bodiless=True)
    assert b"Content-Length: 3" in headed
    assert headed.endswith(b"\r\n\r\n")


def test_a_refusal_is_a_sentence_with_its_headers() -> None:
    said = Answer.error(401, "why", "WWW-Authenticate: Bearer").wire(keeps=True)
    assert said.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"\r\nWWW-Authenticate: Bearer\r\n" in said
    assert said.endswith(b'{"error": "why"}')
