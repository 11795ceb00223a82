"""One model on two machines: two supervisors and the real engine, in two network namespaces.

Six starts of the pair of engines in all, which take most of the time: each test takes the engines
of the one before, and leaves others.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests import client, turns
from tests.client import PATIENCE
from tests.e2e.conftest import PATIENT, engine_environment
from tests.e2e.namespaces import CABLE, Pair, pair, processes_of
from tests.e2e.test_faults import ENDS, asked, engine_group, said
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.faults.test_jobs import begun, proxy_of
from tests.processes import Worker, until

pytestmark = [pytest.mark.e2e, pytest.mark.own_engine, pytest.mark.timeout(1800)]

_START = 900.0  # seconds for a pair of engines on a busy machine
STALL = 20.0
#: What rank 0 logs of its own engine, and once its back-off is over where the other is not there.
_SPAWNED, _AWAITED = "engine spawned", "waiting for rank 1 of 2 nodes"
GONE_WITHIN = 30.0  # seconds from the loss of a machine to the end of both engines


class Nodes:
    """A worker on each machine, as a platform would start them."""

    def __init__(self, machines: Pair, folder: Path, **environment: str) -> None:
        """`environment` is for both."""
        self.pair, self._folder = machines, folder
        self._given = engine_environment(**environment)
        self.workers: list[Worker] = []
        for rank in (0, 1):
            self.workers.append(self._worker(rank, f"{rank}.log"))
        machines.machines[0].open(self.leader.engine_port)

    @property
    def leader(self) -> Worker:
        """Rank 0."""
        return self.workers[0]

    @property
    def follower(self) -> Worker:
        """Rank 1."""
        return self.workers[1]

    def _worker(self, rank: int, log: str) -> Worker:
        machine = self.pair.machines[rank]
        env = {
            **self._given,
            "NUM_NODES": "2",
            "NODE_RANK": str(rank),
            "PRIMARY_ADDR": self.pair.machines[0].address,
            "NODE_ADDR": f"{machine.address}/24",
            "CLUSTER_TOKEN": "a-token-of-two",
            "TENSOR_PARALLEL_SIZE": "2",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            # Threads of two engines that spin on the same cores make 2 tokens a second of 45. With
            # one each they need not give way to other tests, and could not: a token takes both.
            "OMP_NUM_THREADS": "1",
            "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",
            "MAX_MODEL_LEN": "32768",
        }
        worker = Worker(self._folder / log, env, before=machine.before)
        machine.open(worker.control_port)
        return worker

    def replace_follower(self) -> None:
        """Start rank 1 once more; the one before has ended."""
        self.workers[1] = self._worker(1, "1-again.log")

    def generation(self) -> int:
        """The number of the engines that run now."""
        found: int = self.leader.status()["generation"]
        return found

    def until_ready(self, generation: int = 1) -> None:
        """Wait until both say that this generation, or one after it, serves."""
        for worker in self.workers:
            until(
                lambda worker=worker: self._serves(worker, generation),  # type: ignore[misc]
                _START,
                f"generation {generation} of\n{self.leader.text()}\n{self.follower.text()}\n",
                pause=0.2,
            )

    def _serves(self, worker: Worker, generation: int) -> bool:
        assert worker.process.poll() is None, worker.text()
        return worker.ping() == 200 and worker.status()["generation"] >= generation

    def engines(self) -> list[psutil.Process]:
        """Every process of both."""
        return [process for worker in self.workers for process in engine_group(worker)]

    def end(self) -> None:
        """Kill whatever is left."""
        for worker in self.workers:
            worker.end()


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended."""
    found = []
    for process in processes:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def heart(worker: Worker) -> psutil.Process:
    """The process of a headless node that has its part of the model."""
    children = psutil.Process(worker.engine_pid()).children(recursive=True)
    return next(child for child in children if "VLLM::Worker" in " ".join(child.cmdline()))


@pytest.fixture(scope="module")
def machines(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Both, without a process; no other real engine runs meanwhile."""
    with pair() as both, turns.engine.taken(turns.aloud(request.config)):
        yield both


@pytest.fixture(scope="module")
def platform(machines: Pair) -> Iterator[Platform]:
    """On rank 0's machine, and reached from outside."""
    first = machines.machines[0]
    one = Platform(*PATIENT, before=first.before)
    first.open(one.port)
    with one:
        yield one


@pytest.fixture(scope="module")
def queue(
    machines: Pair, platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nodes]:
    """Workers of a queue endpoint; each test takes their engines away, the last one the workers."""
    nodes = Nodes(
        machines,
        tmp_path_factory.mktemp("queue"),
        MAX_RESTARTS="20",
        ENGINE_STALL_TIMEOUT=str(STALL),
        **worker_environment(platform.root),
    )
    try:
        nodes.until_ready()
        yield nodes
    finally:
        nodes.end()


def completed(worker: Worker, **more: Any) -> dict[str, Any]:
    """The answer of rank 0's engine."""
    body = {"prompt": "Tell me a story", "temperature": 0, "max_tokens": 40, **more}
    answer = client.post(f"{worker.engine_url}/v1/completions", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def streamed(worker: Worker, tokens: int) -> Iterator[str]:
    """The lines of a stream of rank 0's engine."""
    body = {"prompt": "one", "max_tokens": tokens, "ignore_eos": True, "stream": True}
    with client.stream("POST", f"{worker.engine_url}/v1/completions", json=body) as answer:
        assert answer.status_code == 200
        yield from (line for line in answer.iter_lines() if line)


def is_broken(lines: Iterator[str]) -> bool:
    """Whether a stream ends with an error, or without an end."""
    try:
        return any(line.startswith('data: {"error"') for line in lines)
    except httpx.HTTPError:
        return True


def test_two_machines_serve_one_model(queue: Nodes, platform: Platform) -> None:
    """By HTTP and by the queue, whole and as streams; the words are one machine's."""
    text = completed(queue.leader)["choices"][0]["text"]
    assert len(text) > 20
    *_, last = streamed(queue.leader, 20)
    assert last == "data: [DONE]"
    body = {"prompt": "Tell me a story", "temperature": 0, "max_tokens": 40}
    jobs = [
        platform.submit({"openai_route": "/v1/completions", "openai_input": each})
        for each in (body, {**body, "stream": True})
    ]
    whole, stream = (platform.until(job, "COMPLETED") for job in jobs)
    (answer,) = whole["output"]
    assert answer["choices"][0]["text"] == text
    assert said(stream)[0] == text


def test_a_node_says_what_it_is(queue: Nodes) -> None:
    """The engines meet over the cable alone; the headless one serves nobody, and runs no proxy."""
    for rank, worker in enumerate(queue.workers):
        told = worker.status()
        assert (told["rank"], told["missing"]) == (rank, [])
        assert told["generation"] == queue.generation()
        environ = psutil.Process(worker.engine_pid()).environ()
        machine = queue.pair.machines[rank]
        assert environ["VLLM_HOST_IP"] == machine.address
        assert environ["GLOO_SOCKET_IFNAME"] == CABLE
        assert "a-token-of-two" not in worker.text() + json.dumps(told)
    assert proxy_of(queue.leader).is_running()
    kinds = [" ".join(process.cmdline()) for process in queue.follower.left()]
    assert not [kind for kind in kinds if "-m proxy" in kind]
    ports = {
        each.laddr.port
        for process in queue.follower.left()
        for each in process.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN
    }
    assert queue.follower.engine_port not in ports


def test_a_process_of_the_other_machine_is_killed(queue: Nodes, platform: Platform) -> None:
    before, gone = queue.generation(), queue.engines()
    talking = platform.submit(asked(**ENDS, tokens=20_000))
    begun(platform, talking)
    heart(queue.follower).kill()
    until(lambda: not living(gone), what="the end of both engines", pause=0.1)
    meanwhile = platform.submit(asked(stream=False, tokens=5))
    queue.until_ready(before + 1)
    error = json.loads(platform.until(talking, "FAILED")["error"])
    assert "restarted" in error["message"]
    assert platform.until(meanwhile, "COMPLETED", _START)["done"] == 1
    assert "rank 1 (10.99.0.2)" in queue.leader.status()["last_failure"]
    assert "rank 1 (10.99.0.2)" in queue.leader.text()


def test_the_cable_is_cut(queue: Nodes, platform: Platform) -> None:
    """No connection is told: only what is not heard any more says it."""
    before, gone = queue.generation(), queue.engines()
    talking = platform.submit(asked(**ENDS, tokens=20_000))
    begun(platform, talking)
    spawned, awaited = (queue.leader.text().count(words) for words in (_SPAWNED, _AWAITED))
    queue.pair.cut()
    began = time.monotonic()
    until(lambda: not living(gone), what="the end of both engines", pause=0.1)
    assert time.monotonic() - began < GONE_WITHIN
    until(lambda: queue.leader.status()["missing"] == [1], what="the word of it")
    assert [worker.ping() for worker in queue.workers] == [503, 503]
    meanwhile = platform.submit(asked(stream=False, tokens=5))
    until(lambda: queue.leader.text().count(_AWAITED) > awaited, what="the end of the back-off")
    assert queue.leader.text().count(_SPAWNED) == spawned, "none without the other"
    queue.pair.heal()
    queue.until_ready(before + 1)
    platform.until(talking, "FAILED")
    assert platform.until(meanwhile, "COMPLETED", _START)["done"] == 1
    assert "rank 1 (10.99.0.2)" in queue.leader.status()["last_failure"]


def test_the_other_machines_process_is_frozen(queue: Nodes, platform: Platform) -> None:
    """Each node says that it is there, and /health says 200: only a token tells."""
    before, gone = queue.generation(), queue.engines()
    heart(queue.follower).suspend()
    job = platform.submit(asked(stream=False, tokens=5))
    time.sleep(1)  # the engine has the job, and waits
    assert client.get(f"{queue.leader.engine_url}/health").status_code == 200
    until(lambda: not living(gone), STALL + 2 * PATIENCE, "the end of both engines", pause=0.1)
    queue.until_ready(before + 1)
    assert platform.until(job, "COMPLETED", _START)["done"] == 1
    assert "no token" in queue.leader.status()["last_failure"]


def test_rank_0_is_told_to_stop(queue: Nodes, platform: Platform) -> None:
    """What is in hand is answered first; then both end, and nothing is left on either machine."""
    jobs = [platform.submit(asked(stream=stream, tokens=200)) for stream in (True, False)]
    begun(platform, jobs[0])
    queue.leader.process.send_signal(signal.SIGTERM)
    for job in jobs:
        assert platform.until(job, "COMPLETED")["done"] == 1
    assert [worker.wait() for worker in queue.workers] == [0, 0]
    assert [worker.left() for worker in queue.workers] == [[], []]


@pytest.fixture(scope="module")
def plain(machines: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Workers in plain mode."""
    nodes = Nodes(machines, tmp_path_factory.mktemp("plain"))
    try:
        nodes.until_ready()
        yield nodes
    finally:
        nodes.end()


def test_a_machine_is_replaced(plain: Nodes) -> None:
    """Its worker is killed in the middle of a stream, and another one begins in its place."""
    assert len(completed(plain.leader)["choices"][0]["text"]) > 20
    before, gone = plain.generation(), plain.engines()
    with ExitStack() as stack:
        lines = streamed(plain.leader, 20_000)
        stack.callback(lines.close)  # type: ignore[attr-defined]
        next(lines)
        plain.follower.process.kill()
        began = time.monotonic()
        until(lambda: not living(gone), what="the end of both engines", pause=0.1)
        assert time.monotonic() - began < GONE_WITHIN
        assert is_broken(lines)
    plain.follower.wait()
    plain.replace_follower()
    plain.until_ready(before + 1)
    assert len(completed(plain.leader)["choices"][0]["text"]) > 20


def test_the_other_node_is_told_to_stop(plain: Nodes) -> None:
    """Its engine stays while rank 0 answers; then all end in order."""
    lines = streamed(plain.leader, 400)
    next(lines)
    plain.follower.process.send_signal(signal.SIGTERM)
    *_, last = lines
    assert last == "data: [DONE]"
    assert [worker.wait() for worker in plain.workers] == [0, 0]
    assert [worker.left() for worker in plain.workers] == [[], []]
    for machine in plain.pair.machines:
        tunnels = [psutil.Process(pid).cmdline() for pid in processes_of(machine)]
        assert all("tests.e2e.tunnel" in words or "tests.emulator" in words for words in tunnels)
