"""What is said on which path; over a socket in ../test_control.py."""

from __future__ import annotations

from supervisor.worker.control.access import Access
from supervisor.worker.control.answers import Answers, Found
from supervisor.worker.control.message import Answer, Live, Question
from supervisor.worker.lifecycle import NoProxy, Starting, State
from supervisor.worker.status import Status

HERE = {"host": "localhost", "peer": "127.0.0.1"}


def found(method: str, path: str, token: str | None = None, **of: str) -> Found:
    status = Status("plain", "m", {}, State(Starting(9.0), NoProxy()))
    return Answers(status, Access(token, "127.0.0.1"), "/healthz", lambda: bytes)(
        Question(method, path, **{**HERE, **of})  # type: ignore[arg-type]
    )


def said(method: str, path: str, token: str | None = None, **of: str) -> Answer:
    answer = found(method, path, token, **of)
    assert isinstance(answer, Answer)
    return answer


def test_ping_answers_everybody_under_any_name() -> None:
    for path in ("/ping", "/healthz"):
        assert said("GET", path, host="evil.example", peer="8.8.8.8").status == 204
        assert said("HEAD", path).status == 204


def test_the_rest_answers_those_who_may_ask() -> None:
    for path in ("/", "/status", "/metrics"):
        assert said("GET", path).status == 200
    for path in ("/", "/events", "/status", "/metrics"):
        assert said("GET", path, peer="8.8.8.8").status == 403
        assert said("GET", path, host="evil.example").status == 403


def test_what_is_not_there_and_what_cannot_be_done() -> None:
    for path in (
        "",
        "/ping/",
        "/events/",
        "/page.js",
        "/statu",
        "/metrics/",
        "/../status",
        "//status",
        "/PING",
    ):
        assert said("GET", path).status == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "get"):
        refused = said(method, "/status")
        assert (refused.status, refused.headers) == (405, ("Allow: GET, HEAD",))


def test_the_page_without_a_word_of_the_worker_is_there_for_whoever_has_a_token() -> None:
    page = said("GET", "/", token="T", peer="8.8.8.8", host="worker.example")
    assert (page.status, page.kind) == (200, "text/html; charset=utf-8")
    assert b">m<" not in page.body
    assert said("GET", "/events", token="T").status == 401


def test_events_are_for_our_own_page() -> None:
    for site in ("", "same-origin", "none"):
        assert isinstance(found("GET", "/events", site=site), Live)
    for site in ("cross-site", "same-site", "x"):
        assert said("GET", "/events", site=site).status == 403
    assert said("HEAD", "/events").status == 204
