"""What is asked of the control port, and what its answers become."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from supervisor.errors import BadArgument, ConfigurationError, SupervisorError
from supervisor.link.standing import Standing
from supervisor.status import query

BODY: dict[str, Any] = {
    "state": "READY", "since": 100.0, "doing": None, "mode": "queue", "model": "org/m",
    "versions": {"worker": "0.1.0", "vllm": None}, "engine_pid": 42, "restarts": 0,
    "last_failure": None, "phases": {"imports": 1.25}, "first_job": 12.5,
    "start": [
        {"name": "imports", "begin": 0.0, "seconds": 1.25},
        {"name": "prefetch", "begin": 0.0, "seconds": 0.5},
    ],
    "jobs": {"jobs": 2, "engine_errors": 0},
}  # fmt: skip


class Port:
    """A control port that gives one answer to everything, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, json.dumps(BODY), dict[str, str]()
        self.asked: list[str] = []
        self.shown: list[str | None] = []
        port = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                port.asked.append(self.path)
                port.shown.append(self.headers["Authorization"])
                self.send_response(port.status)
                for name, value in port.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(port.body.encode())

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def port() -> Iterator[Port]:
    one = Port()
    thread = threading.Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield one
    one.server.shutdown()
    one.server.server_close()
    thread.join()


def test_the_wait_for_the_first_job_is_told_apart_from_the_start() -> None:
    older = {name: value for name, value in BODY.items() if name not in {"first_job", "start"}}
    assert "first job" not in query.as_text(older, 100.0)
    assert "in all" not in query.as_text(older, 100.0)


def test_the_answer_as_it_is_and_for_a_person(port: Port) -> None:
    answer = query.ask(port.url, None, 5)
    assert answer.body == BODY
    assert answer.text.startswith("state         READY for ")
    assert answer.reached
    assert port.asked == ["/status"]


def test_a_state_that_is_waited_for(port: Port) -> None:
    assert query.ask(port.url, "ready", 5).reached
    assert port.asked == ["/status?wait=ready&timeout=5"]
    port.status = 408
    assert not query.ask(port.url, "a&b", 5).reached
    assert port.asked[-1] == "/status?wait=a%26b&timeout=5"


@pytest.mark.parametrize("timeout", [-1.0, 1e12, float("inf"), float("nan")])
def test_what_the_worker_refuses_is_a_bad_argument(port: Port, timeout: float) -> None:
    port.status, port.body = 400, '{"error": "wait takes one of ready"}'
    with pytest.raises(BadArgument, match="wait takes one of ready"):
        query.ask(port.url, "ready", timeout)


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "3", '"READY"', '{"detail": "Not Found"}', '{"error": "other"}', "é"]
)
def test_another_program(port: Port, body: str) -> None:
    port.body = body
    with pytest.raises(SupervisorError, match=f"no worker answers at {port.url};"):
        query.ask(port.url, None, 5)


def test_nobody() -> None:
    for url in ("http://127.0.0.1:1", "http://[::1]:1"):
        with pytest.raises(SupervisorError, match="no worker answers"):
            query.ask(url, None, 5)


def test_neither_a_proxy_nor_a_redirection_leads_away(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert query.ask(port.url, None, 5).reached
    port.status, port.headers, port.body = 302, {"Location": "/elsewhere"}, ""
    with pytest.raises(SupervisorError, match="no worker answers"):
        query.ask(port.url, None, 5)
    assert port.asked == ["/status", "/status"]


def test_the_text_has_what_there_is() -> None:
    assert query.as_text(BODY, 160.0).splitlines() == [
        "state         READY for 60 s",
        "mode          queue",
        "model         org/m",
        "versions      worker 0.1.0, vllm None",
        "engine        process 42",
        "restarts      0",
        f"start         imports     1.2 s {48 * '#'}",
        "              prefetch    0.5 s ===================",
        "              in all      1.2 s",
        "first job     12.5 s after it was ready",
        "jobs          2 in hand",
        "              0 engine errors",
    ]
    plain = {
        **BODY,
        "jobs": None,
        "engine_pid": None,
        "phases": {},
        "start": [],
        "doing": "loading",
    }
    text = query.as_text(plain, 0.0)
    assert "READY for 0 s\ndoing         loading\n" in text
    assert "jobs" not in text
    assert "engine" not in text


def test_one_of_several_nodes_says_which_one_it_is() -> None:
    node = {"role": "leader", "rank": 0, "generation": 2, "missing": []}
    assert "node          rank 0 (leader), generation 2\n" in query.as_text({**BODY, **node}, 0.0)
    lost = {**node, "role": "follower", "rank": 1, "missing": [2, 3]}
    said = "node          rank 1 (follower), generation 2; missing: 2, 3\n"
    assert said in query.as_text({**BODY, **lost}, 0.0)


def test_the_keys_are_those_that_a_worker_writes() -> None:
    assert set(BODY) <= set(Standing().as_json())
    assert query.as_text(Standing("READY", 100.0, "plain").as_json(), 160.0).startswith(
        "state         READY for 60 s"
    )


def test_a_worker_with_a_token_is_shown_it(port: Port) -> None:
    query.ask(port.url, None, 1.0)
    query.ask(port.url, None, 1.0, "T")
    assert port.shown == [None, "Bearer T"]
    port.status = 401
    with pytest.raises(ConfigurationError, match="asks for its CONTROL_TOKEN; set it here as well"):
        query.ask(port.url, None, 1.0)
