"""The stand-in does what its docstring says: other tests build on it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.client import PATIENCE
from tests.processes import until

FAKE = Path(__file__).with_name("fake_vllm")


class Process:
    """A stand-in that runs in a process group of its own."""

    def __init__(self, words: str = "", *flags: str, **environment: str) -> None:
        command = [sys.executable, str(FAKE), "serve", "tiny", "--host=127.0.0.1", "--port=0"]
        self.popen = subprocess.Popen(
            [*command, "--dtype", "bfloat16", *flags],
            env={**os.environ, "FAKE_VLLM": words, **environment},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def line(self, pattern: str) -> str:
        """The first group of the next log line that matches."""
        assert self.popen.stderr
        for line in self.popen.stderr:
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"ended without {pattern}")

    def url(self) -> str:
        """Wait until it listens."""
        return f"http://127.0.0.1:{self.line(r'running on .*:([0-9]+) ')}"

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.communicate(timeout=PATIENCE)


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def one(words: str = "", *flags: str, **environment: str) -> Process:
        started.append(Process(words, *flags, **environment))
        return started[-1]

    yield one
    for process in started:
        process.end()


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    process = Process("", "--served-model-name", "first", "second")
    with httpx.Client(base_url=process.url(), timeout=PATIENCE) as one:
        yield one
    process.end()


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "first", "messages": [{"role": "user", "content": "one two"}], **more}


def stream(client: httpx.Client, fake: dict[str, Any], **more: Any) -> tuple[list[bytes], bytes]:
    """The TCP reads of a streamed chat, and the body that they make."""
    body = chat(stream=True, fake=fake, **more)
    reads: list[bytes] = []
    with (
        contextlib.suppress(httpx.RemoteProtocolError),
        client.stream("POST", "/v1/chat/completions", json=body) as response,
    ):
        reads.extend(response.iter_raw())
    return reads, b"".join(reads)


def data_of(body: bytes) -> list[str]:
    return re.findall(r"^data: (.*?)\r?$", body.decode(), re.MULTILINE)


def text_of(body: bytes) -> str:
    chunks = [json.loads(data) for data in data_of(body) if data != "[DONE]"]
    return "".join(each["choices"][0]["delta"]["content"] for each in chunks if each["choices"])


def running(client: httpx.Client) -> float:
    text = client.get("/metrics").text
    found = re.search(
        r'^vllm:num_requests_running\{.*model_name="first".*\} (.+)$', text, re.MULTILINE
    )
    assert found
    return float(found[1])


def test_stream_has_one_event_a_token_and_usage(client: httpx.Client) -> None:
    options = {"stream_options": {"include_usage": True}, "return_token_ids": True}
    _, body = stream(client, {}, max_tokens=3, **options)
    *chunks, done = data_of(body)
    assert done == "[DONE]"
    assert text_of(body) == " w0 w1 w2"
    role, *tokens, usage = [json.loads(chunk) for chunk in chunks]
    assert role["choices"][0]["delta"]["role"] == "assistant"
    assert [each["choices"][0]["token_ids"] for each in tokens] == [[0], [1], [2]]
    assert tokens[-1]["choices"][0]["finish_reason"] == "length"
    assert usage["usage"] == {"prompt_tokens": 2, "total_tokens": 5, "completion_tokens": 3}


def test_the_prompt_of_a_chat(client: httpx.Client) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b c"}]
    open_turn = {"messages": turns, "continue_final_message": True, "add_generation_prompt": False}
    spoilt = {**open_turn, "chat_template_kwargs": {"closes_turn": True, "thinks_before": True}}
    one, two, other = (
        client.post("/tokenize", json=body).json()["tokens"]
        for body in ({"prompt": "a b c"}, open_turn, spoilt)
    )
    assert one == two
    assert (other[0], other[3:5], len(other)) == (one[0], one[1:], 6)


def test_answers_without_stream(client: httpx.Client) -> None:
    whole = client.post("/v1/chat/completions", json=chat(max_tokens=2, n=2)).json()
    assert [each["message"]["content"] for each in whole["choices"]] == [" w0 w1"] * 2
    assert whole["usage"]["completion_tokens"] == 4
    asked = {"prompt": ["a b", "c"], "max_tokens": 2, "logprobs": 1}
    whole = client.post("/v1/completions", json=asked).json()
    assert [each["text"] for each in whole["choices"]] == [" w0 w1"] * 2
    assert whole["choices"][0]["logprobs"]["tokens"] == [" w0", " w1"]
    assert client.post("/tokenize", json={"prompt": "a b c"}).json()["count"] == 3
    assert len(client.post("/v1/embeddings", json={"input": ["a", "b"]}).json()["data"]) == 2
    assert [each["id"] for each in client.get("/v1/models").json()["data"]] == ["first", "second"]
    assert client.get("/version").json() == {"version": "0.32.0"}
    echo = client.post("/echo-request?a=1", json={"x": 1}, headers={"X-Y": "z"}).json()
    assert (echo["path"], json.loads(echo["body"]), echo["headers"]["X-Y"]) == (
        "/echo-request?a=1",
        {"x": 1},
        "z",
    )


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (chat(model="other"), 404, "NotFoundError"),
        (chat(max_tokens=0), 400, "BadRequestError"),
        ({"model": "first"}, 400, "BadRequestError"),
        (chat(fake={"status": 503}), 503, "ServiceUnavailableError"),
        (chat(fake={"tokenz": 1}), 400, "BadRequestError"),
        (chat(fake={"error_after": 2}), 500, "InternalServerError"),
    ],
)
def test_errors_have_vllms_form(
    client: httpx.Client, body: dict[str, Any], status: int, kind: str
) -> None:
    answer = client.post("/v1/chat/completions", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (status, status, kind)
    assert set(error) == {"message", "type", "param", "code"}


def test_unknown_route_is_answered_as_vllm_does(client: httpx.Client) -> None:
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_half_character_ends_a_read(client: httpx.Client) -> None:
    reads, body = stream(client, {"tokens": 3, "half_character": True})
    assert text_of(body) == " w0☃ w1☃ w2☃"
    assert any(read.endswith("☃".encode()[:1]) for read in reads)


def test_split_events_are_whole_again_when_joined(client: httpx.Client) -> None:
    reads, body = stream(client, {"tokens": 5, "split_events": True, "crlf": True})
    assert text_of(body) == " w0 w1 w2 w3 w4"
    assert body.endswith(b"data: [DONE]\r\n\r\n")
    assert sum(read.endswith(b"\r") for read in reads) >= 3


def test_merged_named_and_kept_alive(client: httpx.Client) -> None:
    fake = {"tokens": 9, "rate": 200, "merge_events": 5, "keepalive": True, "event_names": True}
    reads, body = stream(client, fake)
    assert text_of(body) == "".join(f" w{i}" for i in range(9))
    assert len(reads) <= 4
    assert body.startswith(b": ping\n\nevent: chat.completion.chunk\ndata: {")


def test_ends_of_a_stream(client: httpx.Client) -> None:
    _, cut = stream(client, {"tokens": 5, "cut_after": 2})
    assert text_of(cut) == " w0 w1"
    assert b"[DONE]" not in cut
    _, later = stream(client, {"tokens": 5, "cut_after": 2, "cut_when": str(FAKE)})
    assert text_of(later) == " w0 w1"
    _, no_done = stream(client, {"tokens": 5, "no_done": True})
    assert len(data_of(no_done)) == 6
    _, error = stream(client, {"tokens": 5, "error_after": 5})
    *_, last, done = data_of(error)
    assert (json.loads(last)["error"]["code"], done) == (500, "[DONE]")
    _, big = stream(client, {"tokens": 2, "big": 2_000_000, "text": "a b"})
    assert len(text_of(big)) == 2_000_002
    _, wide = stream(client, {"tokens": 3, "wide": 5_000})
    assert len(text_of(wide)) == 15_000


def test_a_cut_breaks_the_http_body(client: httpx.Client) -> None:
    body = chat(stream=True, fake={"cut_after": 1})
    with (
        pytest.raises(httpx.RemoteProtocolError),
        client.stream("POST", "/v1/chat/completions", json=body) as response,
    ):
        response.read()


def test_rate_and_first_token(client: httpx.Client) -> None:
    began = time.monotonic()
    stream(client, {"tokens": 11, "rate": 50, "first_token_s": 0.1})
    assert 0.29 < time.monotonic() - began < PATIENCE


def test_a_client_that_leaves_aborts_its_request(client: httpx.Client) -> None:
    body = chat(stream=True, fake={"hang_after": 1})
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        reads = response.iter_raw()
        next(reads)
        assert running(client) == 1
    until(lambda: running(client) == 0)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/chat/completions", json=chat(fake={"hang": True}), timeout=0.1)
    until(lambda: running(client) == 0)


def test_an_answer_waits_for_a_file(client: httpx.Client, tmp_path: Path) -> None:
    body = chat(stream=True, fake={"tokens": 2, "wait_for": str(tmp_path / "go")})
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        assert running(client) == 1
        (tmp_path / "go").touch()
        assert text_of(response.read()) == " w0 w1"


def test_it_counts_what_it_is_asked(client: httpx.Client) -> None:
    before = client.get("/fake").json()
    client.get("/version")
    after = client.get("/fake").json()
    assert after["/version"] - before.get("/version", 0) == 1
    assert after["/fake"] - before["/fake"] == 1


def test_it_ends_when_it_is_told(start: Callable[..., Process]) -> None:
    process = start("", FAKE_VLLM_LINES="last words")
    httpx.post(f"{process.url()}/fake", content="exit-after=0", timeout=PATIENCE)
    assert process.line("(last words)")
    assert process.popen.wait(PATIENCE) == 1


def test_health_and_stall_change_while_it_runs(client: httpx.Client) -> None:
    client.post("/fake", content="health=503 stall")
    assert client.get("/health").status_code == 503
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/chat/completions", json=chat(), timeout=0.1)
    client.post("/fake", content="")
    assert client.get("/health").status_code == 200
    assert client.post("/v1/chat/completions", json=chat()).status_code == 200


def test_asks_for_the_key_on_v1_only(start: Callable[..., Process]) -> None:
    url = start("", VLLM_API_KEY="secret").url()
    assert httpx.get(f"{url}/health", timeout=PATIENCE).status_code == 200
    assert httpx.get(f"{url}/v1/models", timeout=PATIENCE).json() == {"error": "Unauthorized"}
    key = {"Authorization": "Bearer secret"}
    allowed = httpx.get(f"{url}/v1/models", headers=key, timeout=PATIENCE)
    assert allowed.status_code == 200


def test_ends_during_its_start(start: Callable[..., Process], tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    process = start("log=2 exit=3 fail-starts=1", FAKE_VLLM_LINES="bad\nend", FAKE_VLLM_STATE=state)
    _, log = process.popen.communicate(timeout=PATIENCE)
    assert process.popen.returncode == 3
    assert log.splitlines()[-3:] == ["INFO 01-01 00:00:00 [core.py:1] line 1", "bad", "end"]
    again = start("exit=3 fail-starts=1 exit-after=0.1", FAKE_VLLM_STATE=state)
    assert again.url()
    assert again.popen.wait(PATIENCE) == 1


def test_a_start_waits_for_a_file(start: Callable[..., Process], tmp_path: Path) -> None:
    process = start(f"log=1 wait-for={tmp_path}/go")
    assert process.line("(line 0)")
    (tmp_path / "go").touch()
    assert process.url()


def test_sigterm_ends_it_at_once(start: Callable[..., Process]) -> None:
    loading, ready, deaf = start("hang-start log=1"), start(), start("ignore-term")
    loading.line("(line 0)")
    ready.url()
    url = deaf.url()
    for process in (loading, ready, deaf):
        process.popen.terminate()
    assert (loading.popen.wait(PATIENCE), ready.popen.wait(PATIENCE)) == (0, 0)
    assert httpx.get(f"{url}/health", timeout=PATIENCE).status_code == 200


def test_shutdown_timeout_finishes_what_runs(start: Callable[..., Process]) -> None:
    process = start("", f"--shutdown-timeout={PATIENCE}")
    fake = {"tokens": 10, "rate": 50}
    body = {"prompt": "a", "stream": True, "fake": fake}
    url = f"{process.url()}/v1/completions"
    with httpx.stream("POST", url, json=body, timeout=PATIENCE) as response:
        process.popen.terminate()
        assert data_of(response.read())[-1] == "[DONE]"
    assert process.popen.wait(PATIENCE) == 0


def test_orphan_outlives_it(start: Callable[..., Process]) -> None:
    process = start("orphan")
    orphan = int(process.line(r"orphan (\d+)"))
    process.url()
    process.popen.terminate()
    assert process.popen.wait(PATIENCE) == 0
    os.kill(orphan, 0)
    os.killpg(process.popen.pid, signal.SIGKILL)


def test_a_second_one_binds_the_same_port(start: Callable[..., Process]) -> None:
    """As vLLM does: it binds with SO_REUSEPORT."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert start("", f"--port={port}").url().endswith(str(port))


def test_a_core_that_ends_is_told_of_by_health_and_requests(
    start: Callable[..., Process],
) -> None:
    one = start("core core-end=1", FAKE_VLLM_LINES="RuntimeError: boom")
    url = one.url()
    core = int(one.line(r"core (\d+)"))
    assert httpx.get(f"{url}/health", timeout=PATIENCE).status_code == 200
    os.kill(core, signal.SIGKILL)
    one.line(r"(boom)")
    until(
        lambda: httpx.get(f"{url}/health", timeout=PATIENCE).status_code == 500, what="its health"
    )
    body = {"model": "tiny", "prompt": "x"}
    assert httpx.post(f"{url}/v1/completions", json=body, timeout=PATIENCE).status_code == 500
    assert one.popen.wait(PATIENCE) == 1
