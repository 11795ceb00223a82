"""Jobs that name addresses inside: the whole worker in queue mode, and who is asked there.

The stand-in engine fetches what it is given, as vLLM does. A canary listens on loopback.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import Worker

CHAT = "/v1/chat/completions"


class Canary:
    """Counts who connects."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        canary = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                canary.asked.append("a connection")
                super().setup()

            def do_GET(self) -> None:
                canary.asked[-1] = self.path
                self.send_response(200)
                self.send_header("Content-Length", "1")
                self.end_headers()
                self.wfile.write(b"x")

            def log_message(self, *_told: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port

    @contextmanager
    def listening(self) -> Iterator[Canary]:
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary().listening() as one:
        yield one


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform() as one:
        yield one


@contextmanager
def worker(platform: Platform, log: Path, **env: str) -> Iterator[Worker]:
    one = Worker(log, {**worker_environment(platform.root), **env})
    try:
        one.until_ready()
        yield one
    finally:
        one.end()


def asking(part: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": "what is this?"}, part]
    return {"messages": [{"role": "user", "content": content}], "max_tokens": 2}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def test_nothing_inside_is_asked(platform: Platform, canary: Canary, tmp_path: Path) -> None:
    """Whatever the address looks like, in whatever form of a job; also where a port is closed."""
    port = canary.port
    urls = [
        f"http://{host}:{port}/secret"
        for host in (
            *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1"),
            *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0", "127.0.0.1.", "localhost."),
            *("good.example@127.0.0.1", "good.example:80@127.0.0.1", "ⓛocalhost", "127。0。0。1"),
        )
    ]
    urls += [
        f"HTTP://127.0.0.1:{port}/secret",
        f"http://127.0.0.1:{port}\\@good.example/secret",
        f" http://127.0.0.1:{port}/secret",
        "http://127.0.0.1:1/secret",
        "http://169.254.169.254/secret",
    ]
    whole = asking(image(urls[0]))
    forms: list[dict[str, Any]] = [
        {"openai_route": CHAT, "openai_input": asking(image(url))} for url in urls
    ]
    forms += [
        {"openai_route": CHAT, "openai_input": {**whole, "stream": True}},
        {"openai_route": CHAT, "openai_input": asking({"image_url": urls[0]})},
        {
            "openai_route": CHAT,
            "openai_input": asking({"audio_url": {"url": urls[0]}, "uuid": "1"}),
        },
        {"route": CHAT, "method": "POST", "body": whole},
        {"messages": whole["messages"], "sampling_params": {"max_tokens": 2}},
        {"messages": whole["messages"], "stream": True},
    ]
    with worker(platform, tmp_path / "log") as one:
        jobs = [platform.submit(form) for form in forms]
        errors = [json.loads(platform.until(job, "FAILED")["error"]) for job in jobs]
        assert [error["code"] for error in errors] == [400] * len(forms)
        for error in errors:
            assert error["param"].startswith("messages.0.content.1.")
            assert "send the data itself" in error["message"]
            assert "secret" not in error["message"]
        opened, closed = errors[0]["message"], errors[len(urls) - 2]["message"]
        assert closed == opened.replace(f"127.0.0.1:{port}", "127.0.0.1:1")
        sound = asking(image("data:image/png;base64,iVBORw0KGgo="))
        platform.until(platform.submit({"openai_route": CHAT, "openai_input": sound}), "COMPLETED")
        assert one.stop() == 0
        assert "Traceback" not in one.text()
    assert canary.asked == []


def test_who_wants_private_addresses_has_them(
    platform: Platform, canary: Canary, tmp_path: Path
) -> None:
    """This is what every worker would have fetched; it still fetches from no other host."""
    url = f"http://127.0.0.1:{canary.port}/picture"
    env = {"MEDIA_PRIVATE": "1", "ALLOWED_MEDIA_DOMAINS": "127.0.0.1"}
    with worker(platform, tmp_path / "log", **env) as one:
        job = platform.submit({"openai_route": CHAT, "openai_input": asking(image(url))})
        platform.until(job, "COMPLETED")
        assert canary.asked == ["/picture"]
        other = image(f"http://localhost:{canary.port}/other")
        job = platform.submit({"openai_route": CHAT, "openai_input": asking(other)})
        error = json.loads(platform.until(job, "FAILED")["error"])
        assert "'localhost:" in error["message"]
        assert "ALLOWED_MEDIA_DOMAINS" in error["message"]
        assert canary.asked == ["/picture"]
        (engine,) = [each for each in one.left() if "serve" in each.cmdline()]
        assert engine.environ()["VLLM_MEDIA_URL_ALLOW_REDIRECTS"] == "0"
        command = engine.cmdline()
        at = command.index("--allowed-media-domains")
        assert command[at + 1] == "127.0.0.1"
