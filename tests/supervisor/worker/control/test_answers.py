"""What is said on which path; over a socket in ../test_control.py."""

from __future__ import annotations

from supervisor.worker.control.access import Access
from supervisor.worker.control.answers import Answers
from supervisor.worker.control.message import Answer, Question
from supervisor.worker.lifecycle import NoProxy, Starting, State
from supervisor.worker.status import Status

HERE = {"host": "localhost", "peer": "127.0.0.1"}


def said(method: str, path: str, **of: str) -> Answer:
    status = Status("plain", "m", {}, State(Starting(9.0), NoProxy()))
    found = Answers(status, Access(None, "127.0.0.1"), "/healthz")(
        Question(method, path, **{**HERE, **of})  # type: ignore[arg-type]
    )
    assert isinstance(found, Answer)
    return found


def test_ping_answers_everybody_under_any_name() -> None:
    for path in ("/ping", "/healthz"):
        assert said("GET", path, host="evil.example", peer="8.8.8.8").status == 204
        assert said("HEAD", path).status == 204


def test_the_rest_answers_those_who_may_ask() -> None:
    for path in ("/status", "/metrics"):
        assert said("GET", path).status == 200
        assert said("GET", path, peer="8.8.8.8").status == 403
        assert said("GET", path, host="evil.example").status == 403


def test_what_is_not_there_and_what_cannot_be_done() -> None:
    for path in ("/", "", "/ping/", "/statu", "/metrics/", "/../status", "//status", "/PING"):
        assert said("GET", path).status == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "get"):
        refused = said(method, "/status")
        assert (refused.status, refused.headers) == (405, ("Allow: GET, HEAD",))
