"""What becomes of a request to a collector is noted; a redirect counts as not arrived."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from supervisor.settings.otel import Signal
from supervisor.telemetry.transport import Redirected, refusal, session
from tests.collector import Collector
from tests.processes import free_port

ASKED = "http://c:4318/v1/traces"


class Way:
    """Asks as the SDK does, and keeps what is noted."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self._session = session(Signal.TRACES, self.noted.append)
        self._session.trust_env = False

    def post(self, url: str, timeout: float = 60.0) -> str:
        """What is noted of a request that fails."""
        with pytest.raises(requests.RequestException):
            self._session.post(url, b"x", timeout=timeout, allow_redirects=False)
        return self.noted[-1]


@contextmanager
def answering(data: bytes) -> Iterator[str]:
    """The place of a server that answers each connection with these bytes and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(data)

        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_that_names_the_address(status: int) -> None:
    with Collector(status, "https://c.example/v1/traces") as collector:
        way = Way()
        said = "it redirects to https://c.example/v1/traces; set that address"
        assert way.post(f"{collector.url}/v1/traces") == said
        with pytest.raises(Redirected, match="set that address"):
            way._session.post(f"{collector.url}/v1/traces", b"x", allow_redirects=False)


def test_what_arrives_is_noted_as_that() -> None:
    with Collector() as collector:
        way = Way()
        answer = way._session.post(f"{collector.url}/v1/traces", b"", allow_redirects=False)
        assert (answer.status_code, way.noted) == (200, [""])


def test_other_answers_are_the_sdks_to_judge_and_noted() -> None:
    with Collector(401) as collector:
        way = Way()
        answer = way._session.post(f"{collector.url}/v1/traces", b"", allow_redirects=False)
        assert (answer.status_code, way.noted) == (401, ["it answers 401 Unauthorized"])


def test_a_port_where_nobody_listens_and_a_name_that_nobody_knows() -> None:
    assert Way().post(f"http://127.0.0.1:{free_port()}/v1/traces") == "Connection refused"
    # Which of the two depends on whether a name server answers.
    unknown = {"Name or service not known", "Temporary failure in name resolution"}
    assert Way().post("http://nosuch.invalid:4318/v1/traces") in unknown


def test_a_collector_that_hangs() -> None:
    with Collector() as collector:
        collector.open.clear()
        assert Way().post(f"{collector.url}/v1/traces", timeout=0.2) == "timed out"


def test_servers_that_speak_something_else() -> None:
    with answering(b"garbage\r\n\r\n") as place:
        assert Way().post(f"http://{place}/v1/traces") == "no HTTP comes back (BadStatusLine)"
        assert "SSL" in Way().post(f"https://{place}/v1/traces")
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort") as place:
        assert Way().post(f"http://{place}/v1/traces")  # it broke off


def test_a_way_by_a_proxy_that_is_not_there() -> None:
    way = Way()
    way._session.proxies = {"http": f"http://127.0.0.1:{free_port()}"}
    assert way.post(ASKED) == "the HTTP proxy: Connection refused"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://c/v1/traces", "redirects to https://c/v1/traces; set that address"),
        ("/otlp/v1/traces", "redirects to http://c:4318/otlp/v1/traces; set that address"),
        ("//[::1]:80/x", "redirects to http://[::1]:80/x; set that address"),
        ("https://me:secret@c/x", "redirects to https://c/x; set that address"),
        ("https://c/x?token=secret#secret", "redirects to https://c/x; set that address"),
        ("https://c/\x1b[31m\xe4", "redirects to https://c/?[31m?; set that address"),
        (f"https://c/{300 * 'a'}", f"redirects to https://c/{110 * 'a'}...; set that address"),
        ("https://[c/x", "answers 302 Found"),
        ("https://c:port/x", "answers 302 Found"),
        ("", "answers 302 Found"),
        ("mailto:me", "answers 302 Found"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(location: str, said: str) -> None:
    assert refusal(302, ASKED, location) == f"it {said}"


def test_answers_that_are_no_success() -> None:
    assert refusal(304, ASKED) == "it answers 304 Not Modified"
    assert refusal(599, ASKED) == "it answers 599"
    assert refusal(503, ASKED, "https://elsewhere") == "it answers 503 Service Unavailable"
    assert {refusal(status, ASKED) for status in (200, 202, 204)} == {""}


def test_a_credential_provider_is_asked_for_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER"
    monkeypatch.setenv(name, "not-installed")
    with pytest.raises(RuntimeError, match="not-installed"):
        session(Signal.TRACES, print)
    assert session(Signal.METRICS, print)
