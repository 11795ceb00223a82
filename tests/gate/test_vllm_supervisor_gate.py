"""The gate is attacked over sockets: a real router behind it, under the server that vLLM uses."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gate.vllm_supervisor_gate import Gate
from supervisor.command.doors.gate import FOLDER
from supervisor.settings.routes import INFERENCE
from tests import client
from tests.gate.app import ADMINISTRATION, POSTS, READS
from tests.processes import ROOT, free_port, until

FIRST, SECOND = "first-key", "second, of course".replace(", ", "-")
MOST = 100_000  # bytes
SOURCE = (FOLDER / "vllm_supervisor_gate.py").read_text(encoding="utf-8")


def digests(*keys: str) -> str:
    return ",".join(hashlib.sha256(key.encode()).hexdigest() for key in keys)


class Server:
    """uvicorn with the application of `tests/gate/app.py`."""

    def __init__(self, **env: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {
            "PATH": os.environ["PATH"],
            "VLLM_API_KEY": FIRST,
            "GATE_SECRET_DIGESTS": digests(FIRST, SECOND),
            "GATE_BODY_BYTES": str(MOST),
            **env,
        }
        words = ["tests.gate.app:app", "--port", str(self.port), "--log-level", "warning"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *words], cwd=ROOT, env=own
        )

    def __enter__(self) -> Server:
        try:
            until(self._listens, what="the server")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def ask(self, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
        with httpx.Client(trust_env=False, timeout=client.PATIENCE) as http:
            return http.request(method, f"{self.url}{path}", headers=headers, **more)

    def raw(self, lines: bytes) -> bytes:
        """All that comes back for these bytes, until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), client.PATIENCE) as one:
            one.sendall(lines)
            parts = []
            while part := one.recv(65536):
                parts.append(part)
        return b"".join(parts)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as one:
        yield one


# --- keys ---


@pytest.mark.parametrize("path", POSTS)
def test_a_post_needs_a_key(server: Server, path: str) -> None:
    refused = server.ask("POST", path, json={})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["error"]["code"] == 401
    assert "Authorization: Bearer KEY" in refused.json()["error"]["message"]
    assert server.ask("POST", path, FIRST, json={}).json()["reached"] == path


@pytest.mark.parametrize(
    "path", [*READS, "/metrics/", "/openapi.json", "/nothing", "/", "/server_info"]
)
def test_a_read_needs_a_key(server: Server, path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "TRACE", "DELETE", "PATCH", "QUERY"):
        assert server.ask(method, path).status_code == 401
    assert server.ask("GET", path, FIRST).status_code != 401


@pytest.mark.parametrize("path", ["/health", "/ping"])
def test_what_platforms_ask_is_open(server: Server, path: str) -> None:
    assert server.ask("GET", path).status_code == 200
    assert server.ask("GET", path, "a wrong one").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {FIRST}"},
        {"Authorization": f"bearer {FIRST}"},
        {"Authorization": f"BEARER   {FIRST}"},
        {"Authorization": f"Bearer {SECOND}"},
        {"X-API-Key": FIRST},
        {"x-api-key": SECOND},
        {"X-API-Key": FIRST, "Authorization": "Bearer of-another-service"},
        {"X-API-Key": "wrong", "Authorization": f"Bearer {SECOND}"},
    ],
)
def test_each_way_of_showing_a_key_passes_vllms_own_check(
    server: Server, headers: dict[str, str]
) -> None:
    answer = server.ask("POST", "/v1/chat/completions", headers=headers, json={})
    assert answer.status_code == 200
    assert answer.json()["authorization"] == [f"Bearer {FIRST}"]
    assert SECOND not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": FIRST},
        {"Authorization": f"Basic {FIRST}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {FIRST}x"},
        {"Authorization": f"Bearer {FIRST[:-1]}"},
        {"Authorization": f"Bearer {FIRST},{SECOND}"},
        {"Authorization": f"Bearer {FIRST.upper()}"},
        {"Authorization": f"Bearer {digests(FIRST)}"},
        {"X-API-Key": ""},
        {"X-API-Key": f"Bearer {FIRST}"},
        {"X-API-Key": f"{FIRST},{SECOND}"},
        {"Api-Key": FIRST},
        {"Cookie": f"Authorization=Bearer {FIRST}"},
        {"Proxy-Authorization": f"Bearer {FIRST}"},
        {"X-Forwarded-Authorization": f"Bearer {FIRST}"},
        {"X-HTTP-Method-Override": "OPTIONS"},
        {"X-Original-URL": "/health"},
        {"X-Rewrite-URL": "/health"},
        {"X-Forwarded-Prefix": "/health"},
    ],
)
def test_nothing_else_is_a_key(server: Server, headers: dict[str, str]) -> None:
    for path in ("/invocations", "/v1/chat/completions"):
        assert server.ask("POST", path, headers=headers, json={}).status_code == 401
    assert server.ask("POST", f"/invocations?api_key={FIRST}", json={}).status_code == 401


def test_a_request_that_shows_vllms_own_key_goes_on_as_it_is() -> None:
    seen = []

    async def app(scope: dict[str, Any], *_: object) -> None:
        seen.append(scope)

    gate = made(app)
    shown = [(b"authorization", f"Bearer {FIRST}".encode()), (b"content-length", b"2")]
    for headers in (shown, [(b"x-api-key", SECOND.encode()), (b"content-length", b"2")]):
        scope = {"type": "http", "method": "POST", "path": "/v1/x", "headers": headers}
        gate(scope, app, app).close()  # type: ignore[arg-type, attr-defined]
        with contextlib.suppress(StopIteration):
            gate(scope, app, app).send(None)  # type: ignore[arg-type, attr-defined]
        assert (seen.pop() is scope) is (headers is shown)


def made(app: Any, **env: str) -> Gate:
    return Gate(app, {"VLLM_API_KEY": FIRST, "GATE_SECRET_DIGESTS": digests(FIRST, SECOND), **env})


@pytest.mark.parametrize("gone", ["VLLM_API_KEY", "GATE_SECRET_DIGESTS"])
def test_without_a_key_to_ask_for_there_is_no_server(gone: str) -> None:
    with pytest.raises(RuntimeError, match="no key to ask for"):
        made(None, **{gone: ""})


# --- browsers ---


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/metrics/", "/sleep", "/nothing"])
def test_a_browser_asks_before_it_sends_its_key(server: Server, path: str) -> None:
    headers = {"Origin": "https://x.example", "Access-Control-Request-Method": "POST"}
    answer = server.ask("OPTIONS", path, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"]
    assert "reached" not in answer.text


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://x"}, {"Authorization": "Bearer x"}])
def test_another_options_reaches_no_route(server: Server, headers: dict[str, str]) -> None:
    """That of prometheus_client answers it as a GET."""
    for path in ("/metrics/", "/v1/models", "/"):
        answer = server.ask("OPTIONS", path, headers=headers)
        assert (answer.status_code, answer.text) == (204, "")


# --- administration ---


@pytest.mark.parametrize("path", ADMINISTRATION)
def test_administration_is_refused_also_to_a_key(server: Server, path: str) -> None:
    refused = server.ask("POST", path, FIRST, json={})
    assert refused.status_code == 403
    assert "ALLOWED_ROUTES can add it" in refused.json()["error"]["message"]
    assert server.ask("POST", path, json={}).status_code == 401


def test_what_else_acts_or_tells_of_the_machine_is_refused(server: Server) -> None:
    assert server.ask("DELETE", "/adapters/one", FIRST).status_code == 403
    assert server.ask("GET", "/server_info", FIRST).status_code == 403
    assert server.ask("POST", "/metrics/", FIRST).status_code == 403


def test_what_is_named_is_open_to_a_key() -> None:
    with Server(GATE_ROUTES="/sleep,/v1/load_lora_adapter,/server_info") as server:
        for path in ("/sleep", "/v1/load_lora_adapter"):
            assert server.ask("POST", path, SECOND, json={}).json()["reached"] == path
            assert server.ask("POST", path, json={}).status_code == 401
        assert server.ask("GET", "/server_info", FIRST).status_code == 200
        assert server.ask("POST", "/wake_up", FIRST).status_code == 403


@pytest.mark.parametrize("path", sorted(INFERENCE))
def test_what_the_proxy_offers_to_jobs_is_open_to_a_key(server: Server, path: str) -> None:
    assert server.ask("POST", path, FIRST, json={}).status_code not in {401, 403}


# --- tricks with the path ---

TRICKS = [
    b"/sleep%0A", b"/sleep%0a", b"/sleep/", b"//sleep", b"/./sleep", b"/x/../sleep", b"/%73leep",
    b"/sl%65ep", b"/SLEEP", b"/sleep;x", b"/sleep?x", b"/sleep#/health", b"/sleep%3f", b"/sleep%23",
    b"/health/../sleep", b"/health%2f..%2fsleep", b"/sleep%00", b"/sleep%20", b"/sleep%0D%0A",
    b"http://x/sleep", b"http:///sleep", b"/health?/../sleep", b"/\\sleep", b"/v1/../sleep",
    b"/v1/load_lora_adapter%0A", b"/v1/load_lora_adapter/", b"/v1/load_lora_adapter%0A/",
    b"/v1//load_lora_adapter", b"/v1/./load_lora_adapter", b"/v1/%6coad_lora_adapter",
    b"/v1/load_lora_adapter?x=/health", b"/V1/load_lora_adapter", b"/v1/load_lora_adapter%20",
    b"/v1/load_lora_adapter%09", b"/inference/v1/abort_requests%0A", b"/%2573leep", b"*", b"sleep",
    b"/sleep%c0%af", b"/%e2%80%a5/sleep", b"/health%0A/sleep", b"/ping/sleep", b"/health/sleep",
]  # fmt: skip
METHODS = (b"POST", b"GET", b"PUT", b"HEAD", b"OPTIONS", b"post", b"POST\t", b"PATCH", b"DELETE")


@pytest.mark.parametrize("root", ["", "/api", "/api/", "/health", "/v1"])
def test_no_spelling_leads_past_the_gate(root: str) -> None:
    """2,000 requests for each root: the tricks above and what chance makes of routes."""
    chance = random.Random(17)  # noqa: S311 - guards nothing
    reads = {*READS, "/openapi.json"}
    with Server(ROOT=root) as server, ExitStack() as kept:
        wire = kept.enter_context(contextlib.closing(Wire(server.port)))
        for number in range(2_000):
            target = TRICKS[number] if number < len(TRICKS) else spelt(chance, root)
            for method in METHODS if number < len(TRICKS) else (chance.choice(METHODS),):
                said = wire.ask(method, target)
                assert b"reached" not in said, (method, target, said)
                said = wire.ask(method, target, FIRST)
                reached = re.search(rb'"reached":"([^"]+)"', said)
                assert reached is None or reached[1].decode() in {*POSTS, *reads}, (method, target)


def spelt(chance: random.Random, root: str) -> bytes:
    """A route as somebody may write it who wants to get past a fence."""
    route = chance.choice([*ADMINISTRATION, *POSTS, *READS, "/server_info", "/metrics/", "/health"])
    text = chance.choice(["", "", root, "/", "/.", "/health/..", "/%2e", "http://x"]) + route
    parts = []
    for letter in text:
        match chance.randrange(40):
            case 0:
                parts.append(f"%{ord(letter):02x}")
            case 1:
                parts.append(f"%{ord(letter):02X}")
            case 2 if letter == "/":
                parts.append("//")
            case 3:
                parts.append(letter.upper())
            case _:
                parts.append(letter)
    ends = [
        "",
        "",
        "",
        "%0A",
        "%0a",
        "/",
        "//",
        "%20",
        "?",
        "?x=/health",
        "#",
        ";/health",
        "/..",
        "%00",
    ]
    return ("".join(parts) + chance.choice(ends)).encode()


class Wire:
    """Requests by their bytes, over one connection as long as the server keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open()

    def _open(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), client.PATIENCE)
        self._file = self._socket.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, method: bytes, target: bytes, key: str = "") -> bytes:
        shown = f"Authorization: Bearer {key}\r\n" if key else ""
        head = method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n" + shown.encode()
        self._socket.sendall(head + b"Content-Length: 0\r\n\r\n")
        said = self._answer(method)
        if not said or b"connection: close" in said.lower() or b" 400 " in said.split(b"\r\n")[0]:
            self.close()
            self._open()
        return said

    def _answer(self, method: bytes) -> bytes:
        head = b""
        while line := self._file.readline():
            head += line
            if line == b"\r\n":
                break
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if method == b"HEAD" or length is None:
            return head
        return head + self._file.read(int(length[1]))


def test_the_routes_behind_a_root(server: Server) -> None:
    del server
    with Server(ROOT="/api") as one:
        assert one.ask("GET", "/api/health").status_code == 200
        assert one.ask("GET", "/api/v1/models").status_code == 401
        assert one.ask("GET", "/api/v1/models", FIRST).json()["reached"] == "/v1/models"
        assert one.ask("POST", "/api/tokenize", FIRST, json={}).json()["reached"] == "/tokenize"
        assert one.ask("POST", "/api/sleep", FIRST, json={}).status_code == 403


# --- bodies ---


@pytest.mark.parametrize("zeros", [0, 40])
def test_a_body_that_is_too_large_is_not_read(server: Server, zeros: int) -> None:
    """Nor asked for: who waits for a 100 gets a 413."""
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {FIRST}\r\n"
        f"Expect: 100-continue\r\nConnection: close\r\n"
        f"Content-Length: {'0' * zeros}{MOST + 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), client.PATIENCE) as one:
        one.sendall(head.encode())
        assert one.recv(1024).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/invocations", "/ping"])
@pytest.mark.parametrize("chunked", [False, True])
def test_the_largest_body(server: Server, path: str, *, chunked: bool) -> None:
    def content(size: int) -> Any:
        return (b"x" * 1_000 for _ in range(size // 1_000)) if chunked else b"x" * size

    assert server.ask("POST", path, FIRST, content=content(MOST)).status_code == 200
    refused = server.ask("POST", path, FIRST, content=content(MOST + 1_000))
    assert (path, refused.status_code) in {("/ping", 200), (path, 413)}  # /ping reads none
    if refused.status_code == 413:
        assert "GATE_BODY_MB" in refused.json()["error"]["message"]


def test_a_chunked_body_without_an_end_is_cut_off(server: Server) -> None:
    """The answer comes while it is being sent, and the next request is answered."""
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        f"Authorization: Bearer {FIRST}\r\n\r\n"
    )
    chunk = b"2710\r\n" + b"x" * 10_000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), client.PATIENCE) as one:
        one.sendall(head.encode() + chunk * 11)
        assert one.recv(65536).startswith(b"HTTP/1.1 413 ")
        one.sendall(chunk * 100 + b"0\r\n\r\n")
        one.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        rest = b"".join(iter(lambda: one.recv(65536), b""))
        assert b"HTTP/1.1 200 OK" in rest


def test_without_a_key_no_body_is_waited_for(server: Server) -> None:
    said = server.raw(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Length: 99999999999\r\n\r\n"
    )
    assert said.startswith(b"HTTP/1.1 401 ")


# --- streams, websockets, other middlewares ---


@pytest.mark.parametrize("content", [b"{}", None])
def test_a_stream_comes_as_it_is_sent(server: Server, content: bytes | None) -> None:
    """Each part before the next is there, also where the body came in chunks."""
    body = content if content is not None else iter([b"{", b"}"])
    headers = {"X-API-Key": SECOND}
    with (
        httpx.Client(trust_env=False, timeout=client.PATIENCE) as http,
        http.stream("POST", f"{server.url}/v1/stream", content=body, headers=headers) as answer,
    ):
        parts = answer.iter_raw()
        assert next(parts) == b"data: 1\n\n"
        assert server.ask("POST", "/v1/go", FIRST).status_code == 200
        assert b"".join(parts) == b"data: 2\n\n"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/realtime", {}, 401),
        ("/v1/realtime", {"Authorization": "Bearer wrong"}, 401),
        ("/health", {}, 401),
        ("/console", {"Authorization": f"Bearer {FIRST}"}, 403),
    ],
)
def test_a_websocket_is_refused(
    server: Server, path: str, headers: dict[str, str], status: int
) -> None:
    url = f"ws://127.0.0.1:{server.port}{path}"
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(url, additional_headers=headers, proxy=None),
    ):
        pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"{}")["error"]["code"] == status


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {FIRST}"}, {"X-API-Key": SECOND}])
def test_a_websocket_with_a_key(server: Server, headers: dict[str, str]) -> None:
    url = f"ws://127.0.0.1:{server.port}/v1/realtime"
    with connect(url, additional_headers=headers, proxy=None) as one:
        one.send("hello")
        assert one.recv() == "you said hello"


def test_a_middleware_of_the_users_own_stands_before_it() -> None:
    """It sees the request as it was sent, and what it makes of one is judged."""
    with Server(USERS="1") as server:
        answer = server.ask("POST", "/v1/chat/completions", SECOND, json={})
        assert answer.json()["authorization"] == [f"Bearer {FIRST}"]
        assert answer.headers["x-users"] == f"Bearer {SECOND}"
        assert server.ask("POST", "/alias", FIRST, json={}).status_code == 403
        assert server.ask("POST", "/alias", json={}).headers["x-users"] == "none"
        chunks = iter([b"x" * MOST, b"x"])
        assert server.ask("POST", "/invocations", FIRST, content=chunks).status_code == 413


# --- the file ---


def test_any_python_of_a_vllm_image_can_run_it() -> None:
    tree = ast.parse(SOURCE, feature_version=(3, 9))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= set(sys.stdlib_module_names)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Match)]


def test_its_folder_holds_nothing_else() -> None:
    there = {path.name for path in FOLDER.iterdir()} - {"__pycache__"}
    assert there == {"vllm_supervisor_gate.py"}
