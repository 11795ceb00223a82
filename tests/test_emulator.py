"""The emulator against the real SDK and the real OpenAI client, and against raw requests.

What the SDK does well is tested with the SDK, in a process of its own. What only a worker that
misbehaves does (a closed poll, a second result, silence) is tested with raw requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from asyncio.trsock import TransportSocket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from socket import SHUT_RDWR
from typing import Any

import httpx
import openai
import pytest

from tests.client import PATIENCE
from tests.emulator.app import serving
from tests.emulator.environment import API_KEY, worker_environment
from tests.emulator.jobs import Job, State
from tests.emulator.queue import Queue
from tests.emulator.settings import Settings
from tests.emulator.world import World
from tests.processes import ROOT, until

# Reading the CA certificates for each client would be most of the time that these tests take.
_TLS = httpx.create_ssl_context()

HANDLER = """
import asyncio, json, pathlib, runpod

async def handler(job):
    given = job["input"]
    if "openai_route" in given:
        async for output in answer(given["openai_route"], given["openai_input"] or {}):
            yield output
    elif given.get("fail"):
        yield {"error": "it failed"}
    else:
        try:
            for number in range(given.get("yields", 2)):
                yield {"number": number}
                await asyncio.sleep(given.get("pause", 0))
        except asyncio.CancelledError:
            pathlib.Path(given["mark"]).touch()
            raise

async def answer(route, body):
    if route == "/v1/models":
        yield {"object": "list", "data": [{"id": "m", "object": "model"}]}
    elif "error" in body:
        if body.get("stream"):
            yield "data: " + json.dumps({"error": {"message": "as an event"}}) + "\\n\\n"
        yield {"error": body["error"]}
    else:
        for word in ("one", "two"):
            choice = {"index": 0, "delta": {"content": word}}
            yield "data: " + json.dumps({"choices": [choice]}) + "\\n\\n"
        while not pathlib.Path(body.get("wait_for", "/")).exists():
            await asyncio.sleep(0.02)
        yield {"error": "late"} if body.get("late") else "data: [DONE]\\n\\n"

runpod.serverless.start({"handler": handler, "return_aggregate_stream": True,
                         "concurrency_modifier": lambda _: 5})
"""


@dataclass(frozen=True)
class Endpoint:
    """The emulator as a process, with a worker of the SDK's."""

    root: str
    http: httpx.Client
    client: openai.OpenAI

    @property
    def url(self) -> str:
        return f"{self.root}/v2/local"

    def call(self, method: str, path: str, **more: Any) -> Any:
        return self.http.request(method, f"{self.url}/{path}", **more).json()

    def known(self, path: str) -> Any:
        return self.http.get(f"{self.root}/_emulator/{path}").json()

    def submit(self, given: Any, **more: Any) -> str:
        return str(self.call("POST", "run", json={"input": given, **more})["id"])

    def until(self, job: str, state: str) -> dict[str, Any]:
        until(lambda: self.call("GET", f"status/{job}")["status"] == state, what=f"{state}, {job}")
        found: dict[str, Any] = self.call("GET", f"status/{job}")
        return found

    def chat(self, stream: bool = True, **more: Any) -> Any:
        """A chat completion; `more` is for HANDLER."""
        messages: Any = [{"role": "user", "content": "x"}]
        return self.client.chat.completions.create(
            model="m", messages=messages, stream=stream, extra_body=more
        )


def start(*options: str) -> tuple[subprocess.Popen[str], str]:
    """The emulator as a user starts it, and its root URL, which it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.emulator", "--port", "0", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    port = line.split("http://localhost:")[1].split("/")[0]
    return process, f"http://127.0.0.1:{port}"


def stop(process: subprocess.Popen[str]) -> None:
    """SIGTERM ends it, without a word."""
    process.terminate()
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The emulator and its worker."""
    script = tmp_path_factory.mktemp("sdk") / "worker.py"
    script.write_text(HANDLER)
    server, root = start()
    env = {
        **os.environ,
        **worker_environment(root),
        "RUNPOD_SKIP_GPU_CHECK": "true",
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
        "RUNPOD_LOG_LEVEL": "ERROR",
    }
    worker = subprocess.Popen([sys.executable, str(script)], env=env, start_new_session=True)
    try:
        with (
            httpx.Client(trust_env=False, timeout=PATIENCE, verify=_TLS) as http,
            openai.OpenAI(
                base_url=f"{root}/v2/local/openai/v1", api_key="x", max_retries=0
            ) as client,
        ):
            yield Endpoint(root, http, client)
    finally:
        # The SDK pings from a process of its own, which outlives a killed worker.
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        stop(server)


# With the real SDK


def test_a_job_from_submission_to_output(endpoint: Endpoint) -> None:
    found = endpoint.until(endpoint.submit({"yields": 3}), "COMPLETED")
    assert found["output"] == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert found["executionTime"] >= 0
    assert found["delayTime"] >= 0
    assert found["workerId"] == "worker-1"


def test_runsync_waits_for_the_output(endpoint: Endpoint) -> None:
    found = endpoint.call("POST", "runsync", json={"input": {"yields": 1}})
    assert (found["status"], found["output"]) == ("COMPLETED", [{"number": 0}])


def test_stream_hands_out_each_output_once(endpoint: Endpoint) -> None:
    job = endpoint.submit({"yields": 5, "pause": 0.05})
    outputs: list[Any] = []

    def ended() -> bool:
        found = endpoint.call("GET", f"stream/{job}")
        outputs.extend(entry["output"]["number"] for entry in found["stream"])
        return str(found["status"]) == "COMPLETED" and not found["stream"]

    until(ended, what="the end of the stream")
    assert outputs == [0, 1, 2, 3, 4]


def test_a_failed_job_can_be_retried(endpoint: Endpoint) -> None:
    job = endpoint.submit({"fail": True})
    assert endpoint.until(job, "FAILED")["error"] == "it failed"
    assert endpoint.call("POST", f"retry/{job}")["status"] == "IN_QUEUE"
    assert endpoint.until(job, "FAILED")["error"] == "it failed"
    known = endpoint.known(f"jobs/{job}")
    assert (known["retried"], known["done"]) == (1, 2)
    assert endpoint.call("GET", "health")["jobs"]["retried"] >= 1


def test_cancel_stops_the_job_in_the_worker(endpoint: Endpoint, tmp_path: Path) -> None:
    mark = tmp_path / "cancelled"
    job = endpoint.submit({"yields": 100_000, "pause": 0.05, "mark": str(mark)})
    endpoint.until(job, "IN_PROGRESS")
    until(lambda: endpoint.call("GET", f"stream/{job}")["stream"], what="the first output")
    assert endpoint.call("POST", f"cancel/{job}")["status"] == "CANCELLED"
    until(mark.exists, what="the end of the handler")
    assert endpoint.until(job, "CANCELLED").get("output") is None


def test_a_job_that_takes_too_long_is_stopped(endpoint: Endpoint, tmp_path: Path) -> None:
    mark = tmp_path / "cancelled"
    given = {"yields": 100_000, "pause": 0.05, "mark": str(mark)}
    # Long enough for the handler to begin: one that has not is not stopped.
    job = endpoint.submit(given, policy={"executionTimeout": 5000})
    assert "executionTimeout of 5000 ms" in endpoint.until(job, "TIMED_OUT")["error"]
    until(mark.exists, what="the end of the handler")


def test_the_worker_is_known_by_its_pings(endpoint: Endpoint) -> None:
    def pinged() -> Any:
        return endpoint.known("workers").get("worker-1", {"pings": 0})

    until(lambda: pinged()["pings"], what="the first ping")
    assert pinged()["parameters"]["runpod_version"]
    assert pinged()["unhealthy"] == []
    assert endpoint.call("GET", "health")["workers"]["ready"] == 1


def test_openai_answers_that_are_no_streams(endpoint: Endpoint) -> None:
    assert [model.id for model in endpoint.client.models.list()] == ["m"]


def test_openai_streams_come_as_they_are_made(endpoint: Endpoint, tmp_path: Path) -> None:
    chunks = iter(endpoint.chat(wait_for=str(tmp_path / "go")))
    assert next(chunks).choices[0].delta.content == "one"
    (tmp_path / "go").touch()
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["two"]


def test_an_openai_stream_that_breaks_ends(endpoint: Endpoint) -> None:
    chunks = [chunk.choices[0].delta.content for chunk in endpoint.chat(late=True)]
    assert chunks == ["one", "two"]


FLAT = {"message": "no such model", "type": "NotFoundError", "param": "model", "code": 404}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (json.dumps(FLAT), 404, "no such model"),
        (json.dumps({"error": FLAT}), 404, "no such model"),
        (json.dumps({**FLAT, "code": "not_found"}), 500, "no such model"),
        ("it is broken", 500, "it is broken"),
    ],
    ids=["flat", "wrapped", "no status", "text"],
)
def test_an_error_reaches_the_openai_client(
    endpoint: Endpoint, stream: bool, error: str, status: int, message: str
) -> None:
    with pytest.raises(openai.APIStatusError, match=message) as found:
        endpoint.chat(stream, error=error)
    assert found.value.status_code == status


def test_an_openai_client_that_goes_away_cancels_its_job(endpoint: Endpoint) -> None:
    stream = endpoint.chat(wait_for="/never")
    next(iter(stream))
    assert endpoint.call("GET", "health")["jobs"]["inProgress"] == 1
    stream.close()
    until(lambda: not endpoint.call("GET", "health")["jobs"]["inProgress"], what="its cancelling")


# With raw requests


class Raw:
    """A user and a worker of an emulator in this process."""

    def __init__(self, root: str, http: httpx.AsyncClient, world: World) -> None:
        self.root = root
        self.http = http
        self.world = world

    async def user(self, method: str, path: str, **more: Any) -> Any:
        return (await self.http.request(method, f"{self.root}/v2/local/{path}", **more)).json()

    async def submit(self, given: Any = 1, **more: Any) -> str:
        return str((await self.user("POST", "run", json={"input": given, **more}))["id"])

    async def state(self, job: str) -> str:
        return str((await self.user("GET", f"status/{job}"))["status"])

    async def known(self, path: str) -> Any:
        return (await self.http.get(f"{self.root}/_emulator/{path}")).json()

    async def worker(self, path: str, body: Any = None, name: str = "w1") -> httpx.Response:
        """A request of a worker: `job-take`, `job-done/ID`, ..."""
        kind, _, rest = path.partition("/")
        job = f"/{rest}" if rest and not rest.startswith("?") else rest
        url = f"{self.root}/v2/local/{kind}/{name}{job}"
        headers = {"Authorization": API_KEY, "Content-Type": "application/x-www-form-urlencoded"}
        if body is None:
            return await self.http.get(url, headers=headers)
        return await self.http.post(url, headers=headers, content=json.dumps(body))

    async def fault(self, **fault: Any) -> httpx.Response:
        return await self.http.post(f"{self.root}/_emulator/faults", json=fault)


@contextlib.asynccontextmanager
async def _raw(settings: Settings) -> AsyncIterator[Raw]:
    async with (
        serving(settings) as found,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE, verify=_TLS) as http,
    ):
        yield Raw(f"http://127.0.0.1:{found.port}", http, found.world)


def raw(**settings: Any) -> AbstractAsyncContextManager[Raw]:
    return _raw(Settings(**{"poll": 0.3, **settings}))


async def test_batches_are_handed_out_in_order() -> None:
    async with raw() as one:
        jobs = [await one.submit(number) for number in range(3)]
        assert (await one.worker("job-take")).json() == {"id": jobs[0], "input": 0}
        found = (await one.worker("job-take-batch/?batch_size=5")).json()
        assert [job["id"] for job in found] == jobs[1:]
        assert (await one.worker("job-take")).status_code == 204
        assert (await one.user("GET", "health"))["jobs"]["inProgress"] == 3


async def test_a_poll_that_is_closed_under_way_gives_its_job_back() -> None:
    """The client gives up while the answer is on its way to it."""
    async with raw(round_trip=1) as one:
        job, second = await one.submit(), await one.submit()
        poll = asyncio.create_task(one.worker("job-take"))
        await _eventually(lambda: one.world.queue.waiting == 1)
        poll.cancel()
        assert (await one.worker("job-take")).json()["id"] == job
        assert (await one.worker("job-take")).json()["id"] == second
        assert (await one.known(f"jobs/{job}"))["redelivered"] == 1
        assert (await one.known(f"jobs/{second}"))["redelivered"] == 0


async def test_a_poll_that_was_closed_before_gets_no_job() -> None:
    """The connection ends after the job woke the poll, and before its answer is written."""
    async with raw(poll=PATIENCE) as one:
        _, writer = await asyncio.open_connection("127.0.0.1", int(one.root.rsplit(":", 1)[1]))
        writer.write(
            b"GET /v2/local/job-take/w1 HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: " + API_KEY.encode() + b"\r\n\r\n"
        )
        await _eventually(lambda: "w1" in one.world.workers)
        job = one.world.submit(Job(1))
        socket: TransportSocket = writer.get_extra_info("socket")
        socket.shutdown(SHUT_RDWR)  # now; close() would wait for the loop
        assert (await one.worker("job-take")).json()["id"] == job.id
        assert job.redelivered == 1
        writer.close()


async def test_a_job_wakes_the_poll_that_has_waited_longest() -> None:
    """And no other: with a thousand polls that would be most of what an endpoint does."""
    queue = Queue()
    turns: list[str] = []

    async def poll(name: str, seconds: float = PATIENCE, most: int = 1) -> list[Job]:
        try:
            return await queue.take(most, seconds)
        finally:
            turns.append(name)

    polls = [asyncio.create_task(poll(f"w{number}")) for number in range(4)]
    await asyncio.sleep(0)
    assert [task.done() for task in polls] == [False] * 4
    first, second = queue.submit(Job(1)), queue.submit(Job(2))
    assert (await polls[0], await polls[1]) == ([first], [second])
    assert turns == ["w0", "w1"]
    polls[2].cancel()  # its turn goes to the next
    third = queue.submit(Job(3))
    assert await polls[3] == [third]
    assert await poll("late", seconds=0.01) == []
    queue.put_back(third)
    queue.put_back(second)
    assert await poll("many", most=5) == [second, third]


async def test_a_turn_that_finds_no_job_any_more_is_kept() -> None:
    queue = Queue()
    polls = [asyncio.create_task(queue.take(1, PATIENCE)) for _ in range(2)]
    await asyncio.sleep(0)
    queue.stop(queue.submit(Job(1)), State.CANCELLED)  # before the poll that it woke has run
    for _ in range(3):
        await asyncio.sleep(0)
    job = queue.submit(Job(2))
    assert await polls[0] == [job]
    queue.purge()
    polls[1].cancel()


async def test_twenty_thousand_jobs_and_a_thousand_polls_cost_no_more_each_than_a_few() -> None:
    """What looks through all jobs or wakes all polls for each job takes minutes here."""
    count, workers = 20_000, 1_000
    queue = Queue()
    over = asyncio.Event()

    async def work(name: str) -> None:
        while True:
            for job in await queue.take(1, PATIENCE):
                queue.taken(job, name)
                await asyncio.sleep(0)
                queue.finish(job, State.COMPLETED)
                if queue.states[State.COMPLETED] == count:
                    over.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(f"w{number}")) for number in range(workers)]
        tasks += [group.create_task(_hear(queue, f"w{number}")) for number in range(workers)]
        await asyncio.sleep(0)
        for number in range(count):
            queue.submit(Job(number))
            if number < 4 * workers:
                await asyncio.sleep(0)  # each of these meets a thousand polls that wait
        await over.wait()
        for task in tasks:
            task.cancel()
    assert (queue.waiting, queue.busy) == (0, set())


async def _hear(queue: Queue, name: str) -> None:
    await queue.stops(name, PATIENCE)


async def test_the_counts_of_health_follow_each_job() -> None:
    async with raw() as one:
        jobs = [await one.submit() for _ in range(5)]
        for name in ("w1", "w2", "w2", "w3"):
            await one.worker("job-take", name=name)
        await one.worker(f"job-done/{jobs[0]}", {"output": 1})
        await one.worker(f"job-done/{jobs[1]}", {"error": "x"}, name="w2")
        await one.user("POST", f"cancel/{jobs[3]}")
        found = await one.user("GET", "health")
        assert found["jobs"] == {
            "completed": 1, "failed": 1, "inProgress": 1, "inQueue": 1, "retried": 0,
        }  # fmt: skip
        assert (found["workers"]["running"], found["workers"]["idle"]) == (1, 2)
        await one.user("POST", f"retry/{jobs[1]}")
        found = (await one.user("GET", "health"))["jobs"]
        assert (found["failed"], found["inQueue"], found["retried"]) == (0, 2, 1)


async def test_jobs_of_a_lost_worker_are_run_again_in_their_order() -> None:
    async with raw(worker_lost=PATIENCE) as one:
        jobs = [await one.submit() for _ in range(4)]
        for name in ("w1", "w1", "w2", "w1"):
            await one.worker("job-take", name=name)
        await one.worker(f"job-done/{jobs[1]}", {"output": 1})
        one.world.queue.lose("w1")
        found = (await one.worker("job-take-batch/?batch_size=5", name="w3")).json()
        assert [job["id"] for job in found] == [jobs[0], jobs[3]]


async def test_connections_are_cut_at_once_and_workers_come_back() -> None:
    async with raw(poll=PATIENCE) as one:
        polls = [asyncio.create_task(one.worker("job-take", name=f"w{n}")) for n in (1, 2, 3)]
        await _eventually(lambda: len(one.world.workers) == 3)
        cut = f"{one.root}/_emulator/cut"
        asked = {"workers": ["w1", "w2"], "seconds": PATIENCE}
        assert (await one.http.post(cut, json=asked)).json() == {"connections": 2}
        for poll in polls[:2]:
            with pytest.raises(httpx.TransportError):
                await poll
        with pytest.raises(httpx.TransportError):
            await one.worker("job-take", name="w1")
        assert await one.known("cut") == {"w1": None, "w2": None}
        job = await one.submit()
        assert (await polls[2]).json()["id"] == job
        await one.http.post(cut, json={"workers": ["w1"], "seconds": 0})
        assert (await one.worker("ping", name="w1")).is_success
        back = await one.known("cut")
        assert back["w1"] >= 0
        assert back["w2"] is None
        known = (await one.http.post(f"{one.root}/_emulator/jobs", json=[job, "none"])).json()
        assert (known[0]["workerId"], known[1]) == ("w3", None)


async def _eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


async def test_what_a_worker_reports_of_a_cancelled_job_is_ignored() -> None:
    async with raw() as one:
        job = await one.submit()
        await one.worker("job-take")
        await one.user("POST", f"cancel/{job}")
        assert (await one.worker("job-stop")).json() == {"jobsToStop": [job]}
        assert (await one.worker("job-stop")).status_code == 204
        assert (await one.worker(f"job-done/{job}", {"output": 1})).status_code == 200
        known = await one.known(f"jobs/{job}")
        assert (known["status"], known["done"]) == ("CANCELLED", 1)


async def test_a_job_cancelled_on_its_way_to_a_worker_is_stopped_there() -> None:
    async with raw(round_trip=1) as one:
        job = await one.submit()
        poll = asyncio.create_task(one.worker("job-take"))
        await _eventually(lambda: one.world.queue.waiting == 0)
        await one.user("POST", f"cancel/{job}")
        assert (await poll).json()["id"] == job
        assert (await one.worker("job-stop")).json() == {"jobsToStop": [job]}
        assert await one.state(job) == "CANCELLED"


async def test_a_second_result_is_counted_and_changes_nothing() -> None:
    async with raw() as one:
        job = await one.submit()
        await one.worker("job-take")
        await one.worker(f"job-done/{job}", {"output": 1})
        await one.worker(f"job-done/{job}", {"output": 2})
        known = await one.known(f"jobs/{job}")
        assert (known["output"], known["done"]) == (1, 2)


async def test_purging_cancels_what_waits() -> None:
    async with raw() as one:
        taken = await one.submit()
        await one.worker("job-take")
        waiting = await one.submit()
        assert await one.user("POST", "purge-queue") == {"removed": 1, "status": "completed"}
        assert (await one.state(taken), await one.state(waiting)) == ("IN_PROGRESS", "CANCELLED")


async def test_jobs_of_a_silent_worker_go_to_another() -> None:
    async with raw(worker_lost=0.3, poll=PATIENCE) as one:
        job = await one.submit()
        await one.worker("job-take", name="w1")
        assert (await one.worker("job-take", name="w2")).json()["id"] == job
        assert (await one.known(f"jobs/{job}"))["retried"] >= 1


async def test_a_job_lives_no_longer_than_its_ttl() -> None:
    async with raw() as one:
        found = await one.user("POST", "runsync", json={"input": 1, "policy": {"ttl": 50}})
        assert found["status"] == "TIMED_OUT"
        assert (await one.worker("job-take")).status_code == 204


async def test_a_retried_job_has_its_whole_time_again() -> None:
    async with raw() as one:
        job = await one.submit(policy={"executionTimeout": 60_000})
        timers = one.world.queue.jobs[job].timers
        await one.worker("job-take")
        first = timers["executionTimeout"]
        await one.worker(f"job-done/{job}", {"error": "x"})
        assert first.cancelled()
        await one.user("POST", f"retry/{job}")
        await one.worker("job-take")
        assert timers["executionTimeout"].when() > first.when()


async def test_runsync_gives_the_state_where_it_takes_too_long() -> None:
    async with raw() as one:
        found = await one.user("POST", "runsync?wait=50", json={"input": 1})
        assert found["status"] == "IN_QUEUE"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("run", json.dumps({"input": "x" * 10_000_000})),
        ("runsync", json.dumps({"input": "x" * 20_000_000})),
        ("run", "{"),
        ("run", "[]"),
        ("run", "{}"),
        ("run", json.dumps({"input": 1, "policy": {"ttl": "soon"}})),
        ("runsync?wait=long", json.dumps({"input": 1})),
        ("openai/v1/completions", "[]"),
    ],
    ids=["10 MB", "20 MB", "no JSON", "no object", "no input", "policy", "wait", "openai"],
)
async def test_what_is_too_large_or_malformed_is_refused(path: str, body: str) -> None:
    async with raw() as one:
        answer = await one.http.post(f"{one.root}/v2/local/{path}", content=body)
        assert answer.status_code == 400
        assert answer.json()["error"]


async def test_outputs_over_the_limits_are_refused_and_recorded() -> None:
    async with raw() as one:
        job = await one.submit()
        await one.worker("job-take")
        assert (await one.worker(f"job-stream/{job}", {"output": "x" * 1_000_000})).is_client_error
        assert (await one.worker(f"job-done/{job}", {"output": "x" * 20_000_000})).is_client_error
        known = await one.known(f"jobs/{job}")
        assert [refused["bytes"] > 1_000_000 for refused in known["refused"]] == [True, True]
        assert (known["status"], known["posts"], known["done"]) == ("IN_PROGRESS", [], 0)


async def test_faults_happen_as_often_as_asked_for() -> None:
    async with raw() as one:
        assert (await one.fault(path="job-take", status=429, times=2)).is_success
        codes = [(await one.worker("job-take-batch/?batch_size=2")).status_code for _ in range(3)]
        assert codes == [429, 429, 204]
        await one.fault(path="ping", close=True)
        with pytest.raises(httpx.RemoteProtocolError):
            await one.worker("ping")
        await one.fault(path="ping", delay_ms=100)
        began = time.monotonic()
        assert (await one.worker("ping")).is_success
        assert time.monotonic() - began >= 0.1
        await one.fault(path="ping", status=500)
        assert (await one.http.delete(f"{one.root}/_emulator/faults")).is_success
        assert (await one.worker("ping")).is_success
        for wrong in (
            {"path": "other"},
            {},
            {"path": "ping", "more": 1},
            {"path": "ping", "times": 0},
        ):
            assert (await one.fault(**wrong)).status_code == 400


async def test_the_log_has_every_request_and_no_key() -> None:
    async with raw() as one:
        job = await one.submit()
        await one.worker("job-take")
        await one.worker(f"job-done/{job}", {"output": 1})
        await one.worker("ping/?status=unhealthy&check=gpu&reason=none")
        wrong = await one.http.get(f"{one.root}/v2/local/ping/w1", headers={"Authorization": "?"})
        assert wrong.status_code == 401
        log = await one.known("log")
        assert [(call["kind"], call["status"]) for call in log] == [
            ("job-take", 200), ("job-done", 200), ("ping", 200), ("ping", 401),
        ]  # fmt: skip
        assert API_KEY not in json.dumps(log)
        assert (await one.known("workers"))["w1"]["unhealthy"][0]["check"] == "gpu"
        assert (await one.user("GET", "health"))["workers"]["unhealthy"] == 1


async def test_a_post_counts_from_the_middle_of_its_round_trip() -> None:
    async with raw(round_trip=0.2) as one:
        job = await one.submit()
        await one.worker("job-take")
        began = time.monotonic()
        await one.worker(f"job-stream/{job}", {"output": "x"})
        ended = time.monotonic()
        (post,) = (await one.known(f"jobs/{job}"))["posts"]
        assert post["at"] - began >= 0.1
        assert ended - post["at"] >= 0.1
        assert abs(post["time"] - time.time()) < 60  # about now, and in Unix time
        assert (post["output"], post["bytes"]) == ("x", len('{"output": "x"}'))


async def test_without_kept_outputs_a_stream_still_has_them() -> None:
    async with raw(keep_outputs=False) as one:
        job = await one.submit()
        await one.worker("job-take")
        await one.worker(f"job-stream/{job}", {"output": "lost"})
        stream = asyncio.create_task(one.user("GET", f"stream/{job}"))
        assert (await stream)["stream"] == []
        await one.worker(f"job-stream/{job}", {"output": "read"})
        assert (await one.user("POST", f"stream/{job}"))["stream"] == [{"output": "read"}]
        posts = (await one.known(f"jobs/{job}"))["posts"]
        assert [(post["bytes"] > 0, post["output"]) for post in posts] == [(True, None)] * 2


async def test_a_webhook_hears_of_the_end() -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readuntil(b"}"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with raw() as one, await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        job = await one.submit(webhook=f"http://127.0.0.1:{port}/end")
        await one.user("POST", f"cancel/{job}")
        async with asyncio.timeout(PATIENCE):
            body = await heard.get()
        assert body.startswith(b"POST /end")
        assert job.encode() in body
        assert b"CANCELLED" in body


# As a program


def test_the_port_is_taken(endpoint: Endpoint) -> None:
    port = endpoint.root.rsplit(":", 1)[1]
    again = subprocess.run(
        [sys.executable, "-m", "tests.emulator", "--port", port],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert again.returncode == 1
    assert f"port {port} cannot be listened on" in again.stderr
    assert len(again.stderr.splitlines()) == 1


def test_it_ends_at_once_while_polls_and_answers_are_open() -> None:
    process, root = start("--poll-seconds", "600")
    host, port = root.removeprefix("http://").split(":")
    with contextlib.ExitStack() as open_ones:

        def ask(method: str, path: str, body: str = "{}") -> None:
            one = open_ones.enter_context(socket.create_connection((host, int(port))))
            head = f"{method} /v2/local/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: {API_KEY}\r\n"
            one.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

        def calls() -> dict[str, int | None]:
            log = httpx.get(f"{root}/_emulator/log", trust_env=False, verify=_TLS).json()
            return {f"{call['kind']}/{call['worker']}": call["status"] for call in log}

        ask("POST", "openai/v1/chat/completions", '{"stream": true}')
        ask("GET", "job-take/w1")
        until(lambda: calls() == {"job-take/w1": 200}, what="a job whose user waits for an answer")
        ask("GET", "job-take/w2")
        ask("GET", "job-stop/w2")
        until(lambda: len(calls()) == 3, what="two polls")
        assert list(calls().values()) == [200, None, None]
        began = time.monotonic()
        stop(process)
        assert time.monotonic() - began < 45  # aiohttp would wait for them for 60 s


def test_a_command_to_try_is_printed_once_a_worker_takes_jobs(tmp_path: Path) -> None:
    process, root = start("--poll-seconds", "0.5")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "Ctrl-C ends it\n"
        with httpx.Client(
            base_url=f"{root}/v2/local/", headers={"Authorization": API_KEY}, trust_env=False,
            verify=_TLS, timeout=PATIENCE,
        ) as worker:  # fmt: skip
            assert worker.get("job-take/w1").status_code == 204
            told, _, command = process.stdout.readline().partition("; try: ")
            assert told == "a worker takes jobs"
            with (tmp_path / "answer").open("wb") as kept:
                user = subprocess.Popen(["sh", "-c", command], stdout=kept)
                jobs: list[dict[str, Any]] = []

                def taken() -> bool:
                    answer = worker.get("job-take/w1")
                    jobs.extend([answer.json()] if answer.status_code == 200 else [])
                    return bool(jobs)

                until(taken, what="the job")
                said = jobs[0]["input"]["messages"][0]["content"]
                worker.post(f"job-done/w1/{jobs[0]['id']}", json={"output": said.upper()})
                assert user.wait(PATIENCE) == 0
        assert json.loads((tmp_path / "answer").read_bytes())["output"] == "WHAT IS THIS?"
    finally:
        stop(process)


def test_the_environment_is_printed() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.emulator", "--port", "9123", "--print-env"],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    variables = dict(line.split("=", 1) for line in found.stdout.splitlines())
    assert variables == worker_environment("http://127.0.0.1:9123")
