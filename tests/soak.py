"""`python -m tests.soak`: a worker in queue mode, many jobs at a time, a fault every few seconds.

The engine is the stand-in, the platform the emulator; the SDK, the proxy and the supervisor are
real. It ends with figures, and with 1 where a job was lost or doubled, or where streams lost their
engine and none of them went on.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import httpx
import psutil

from tests import client
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import Worker, until

_ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"}
_LOST = "the engine was lost, and the answer goes on"
_PATIENCE = 300.0  # seconds for one job, faults included: longer is lost
_STREAMS = 300  # that lose one engine together


@dataclass
class Outcome:
    """What became of the jobs."""

    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    without_reason: list[str] = field(default_factory=list)
    begun: int = 0  # streams that gave something
    waits: list[float] = field(default_factory=list)  # s, from the loss of an engine to a token
    lock: Lock = field(default_factory=Lock)


def kinds(dice: random.Random) -> tuple[bool, dict[str, Any]]:
    """A job: whether it streams, and how the engine answers it."""
    tokens = dice.choice([1, 10, 50, 100])
    fake: dict[str, Any] = {"tokens": tokens, "rate": dice.choice([20, 50, 200])}
    fake |= dice.choice([{}, {}, {}, {"first_token_s": 2}, {"keepalive": True}, {"crlf": True}])
    if dice.random() < 0.05:
        fake |= dice.choice(
            [{"status": 400}, {"status": 500}, {"cut_after": 5}, {"error_after": 3}]
        )
    return dice.random() < 0.7, fake


def run_job(platform: Platform, number: int, dice: random.Random, outcome: Outcome) -> None:
    """One job from its submission to its end."""
    stream, fake = kinds(dice)
    body = {"model": "tiny", "stream": stream, "user": f"u{number}", "metadata": {"fake": fake}}
    body["max_tokens"] = fake["tokens"]  # so that a stream knows how much is left of it
    job = platform.submit(asked(body, chat=dice.random() < 0.5))
    cancelled = dice.random() < 0.03
    if cancelled:
        time.sleep(dice.random())  # wherever it then is
        platform.cancel(job)
    with contextlib.suppress(AssertionError):  # it is lost, then
        until(lambda: platform.job(job)["status"] in _ENDED, _PATIENCE, pause=0.2)
    found = platform.job(job)
    with outcome.lock:
        state = found["status"]
        outcome.states[state] += 1
        outcome.begun += stream and bool(found["posts"])
        if (seam := over_the_seam(found["posts"])) is not None:
            outcome.waits.append(seam[1] - seam[0])
        if stream and not in_order(found["posts"]):
            outcome.doubled.append(f"{job} {state}, as it was read: {fake}")
        if state not in _ENDED:
            outcome.lost.append(f"{job} {state}")
        elif state == "COMPLETED":
            if told(found["output"], stream=stream) != list(range(fake["tokens"])):
                outcome.doubled.append(f"{job} {fake}")
        elif state == "FAILED":
            message = re.search(r'"message": "([^"]{10,})', found["error"] or "")
            if message is None:
                outcome.without_reason.append(str(found["error"]))
            else:
                outcome.reasons[re.sub(r"\d+(\.\d+)?", "N", message[1])[:90]] += 1
        if found["done"] > 1:
            outcome.doubled.append(f"{job} reported {found['done']} times")


def asked(body: dict[str, Any], *, chat: bool) -> dict[str, Any]:
    """The job that asks for this, as a chat or as a completion."""
    if chat:
        turns = [{"role": "user", "content": "x"}]
        return {"openai_route": "/v1/chat/completions", "openai_input": {**body, "messages": turns}}
    return {"openai_route": "/v1/completions", "openai_input": {**body, "prompt": "x"}}


def over_the_seam(posts: list[dict[str, Any]]) -> tuple[float, float] | None:
    """When a stream lost its engine and when its next token came; None where it never did."""
    rest = iter(posts)
    for post in rest:
        if _LOST in str(post["output"]):
            after = (each for each in rest if told([str(each["output"])], stream=True))
            return next(((float(post["time"]), float(each["time"])) for each in after), None)
    return None


def in_order(posts: list[dict[str, Any]]) -> bool:
    """Whether a stream was read from its beginning, however it ended: each token once."""
    numbers = told([str(post["output"]) for post in posts], stream=True)
    return numbers == list(range(len(numbers)))


def told(output: list[Any], *, stream: bool) -> list[int]:
    """The numbers of the tokens in an answer, in their order."""
    text = "".join(output) if stream else str(output[0]["choices"][0])
    return [int(number) for number in re.findall(r"\bw(\d+)", text)]


def run_twice(done: Path) -> list[str]:
    """The jobs that the engine has answered to their end more than once.

    What has no name is the worker's own question whether the engine still makes tokens.
    """
    times = Counter(done.read_text().split())
    return [user for user, count in times.items() if count > 1 and user != "None"]


def one_end(worker: Worker, platform: Platform, count: int) -> tuple[list[float], list[str]]:
    """Kill the engine of `count` streams.

    Returns:
        The seconds from READY to the first new token of each that went on, and those that did not.
    """
    fake = {"fake": {"tokens": 80, "rate": 8}}
    body = {"model": "tiny", "stream": True, "user": "one-end", "max_tokens": 80, "metadata": fake}
    jobs = [platform.submit(asked(body, chat=number % 2 > 0)) for number in range(count)]
    for job in jobs:
        until(partial(has_begun, platform, job), what=f"a token of job {job}")
    before = worker.status()
    psutil.Process(before["engine_pid"]).kill()
    until(lambda: worker.status()["restarts"] > before["restarts"], what="the restart")
    until(lambda: worker.ping() == 200, 120, what="the next engine")
    ready = float(worker.status()["since"])
    first, others = [], []
    for job in jobs:
        until(partial(has_ended, platform, job), _PATIENCE, pause=0.2)
        found = platform.job(job)
        seam = over_the_seam(found["posts"])
        if found["status"] != "COMPLETED" or seam is None or not in_order(found["posts"]):
            others.append(job)
        else:
            first.append(seam[1] - ready)
    return first, others


def has_begun(platform: Platform, job: str) -> bool:
    """Whether somebody may have read something of it."""
    return bool(platform.job(job)["posts"])


def has_ended(platform: Platform, job: str) -> bool:
    """Whether nothing more will come."""
    return platform.job(job)["status"] in _ENDED


def stop_under_load(worker: Worker, platform: Platform, count: int) -> tuple[int, list[str]]:
    """SIGTERM with `count` jobs at work and twice as many that wait.

    Returns:
        The worker's exit code, and the jobs that were taken and not answered.
    """
    fake = {"fake": {"tokens": 40, "rate": 20}}
    body = {"model": "tiny", "stream": True, "user": "stop", "max_tokens": 40, "metadata": fake}
    jobs = [platform.submit(asked(body, chat=number % 2 > 0)) for number in range(3 * count)]
    until(lambda: worker.status()["jobs"]["jobs"] >= count / 2, what="half of them at work")
    code = worker.stop(seconds=120)
    states = {job: platform.job(job)["status"] for job in jobs}
    return code, [job for job, state in states.items() if state not in {"COMPLETED", "IN_QUEUE"}]


# --- faults ---


class Faults:
    """What goes wrong, one after the other."""

    def __init__(self, worker: Worker, platform: Platform, dice: random.Random) -> None:
        self._worker, self._platform, self._dice = worker, platform, dice
        self.count: Counter[str] = Counter()
        self._all: dict[str, Callable[[], object]] = {
            "engine killed": lambda: self._signal_engine(signal.SIGKILL),
            "engine frozen": lambda: self._signal_engine(signal.SIGSTOP),
            "engine stalled": lambda: self._tell("stall"),
            "engine says it is dead": lambda: self._tell("health=503"),
            "engine slow to say its health": lambda: self._tell("slow-health=2"),
            "proxy killed": self._kill_proxy,
            "platform refuses polls": lambda: platform.fault(path="job-take", status=503, times=5),
            "platform loses polls": lambda: platform.fault(path="job-take", close=True, times=3),
            "platform refuses outputs": lambda: platform.fault(
                path="job-stream", status=500, times=20
            ),
            "platform refuses results": lambda: platform.fault(
                path="job-done", status=429, times=10
            ),
            "platform slow": lambda: platform.fault(path="job-stream", delay_ms=500, times=100),
        }

    def one(self) -> None:
        """The next one; one that finds nothing to break is none.

        What is left of the platform's last one is over: polls come ever more rarely while they are
        refused, and with one fault after the other none would get through.
        """
        name = self._dice.choice(list(self._all))
        if name.startswith("platform"):
            self._platform.no_faults()
        with contextlib.suppress(psutil.Error, httpx.HTTPError, StopIteration, TypeError):
            self._all[name]()
            self.count[name] += 1

    def _signal_engine(self, number: signal.Signals) -> None:
        pid = self._worker.status()["engine_pid"]
        if pid is None:  # there is none just now
            raise psutil.NoSuchProcess(0)
        psutil.Process(pid).send_signal(number)

    def _tell(self, words: str) -> None:
        client.post(f"{self._worker.engine_url}/fake", content=words, timeout=5)

    def _kill_proxy(self) -> None:
        next(proxies(self._worker)).kill()


def proxies(worker: Worker) -> Iterator[psutil.Process]:
    """The proxy's process, without the one for pings."""
    for child in psutil.Process(worker.process.pid).children():
        if child.cmdline()[1:] == ["-m", "proxy"]:
            yield child


def lost_streams(worker: Worker) -> dict[str, int]:
    """How many streams went on with the next engine, and why others did not."""
    text = client.get(f"http://127.0.0.1:{worker.control_port}/metrics").text
    pattern = r"_streams_(resumed)_total (\d+)|_not_resumed_total\{reason=\"(\w+)\"\} (\d+)"
    found = re.findall(pattern, text)
    counts = {went or reason: int(went_on or ended) for went, went_on, reason, ended in found}
    return {name: count for name, count in counts.items() if count}


class Readiness:
    """Watches /ping: the longest time without a ready engine."""

    def __init__(self, worker: Worker) -> None:
        self.longest = 0.0
        self._worker, self._over = worker, Event()
        self._thread = Thread(target=self._watch)

    def __enter__(self) -> Readiness:
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._over.wait(0.1):
            now = time.monotonic()
            if self._worker.ping() == 200:
                last = now
            self.longest = max(self.longest, now - last)


def size(worker: Worker) -> str:
    """Memory and descriptors of our two processes."""
    shown = []
    for name, process in (
        ("supervisor", psutil.Process(worker.process.pid)),
        ("proxy", next(proxies(worker))),
    ):
        megabytes = process.memory_info().rss / 1e6
        shown.append(f"{name} {megabytes:.0f} MB, {process.num_fds()} descriptors")
    return "; ".join(shown)


def soak(seconds: float, at_once: int, every: float, seed: int, folder: Path) -> int:
    """Run it; 0 where no job was lost, doubled or failed without a reason."""
    dice = random.Random(seed)  # noqa: S311 - to be run again with the same faults
    outcome = Outcome()
    with Platform("--worker-lost-seconds", "3600") as platform:
        worker = Worker(
            folder / "worker.log",
            {
                **worker_environment(platform.root),
                "FAKE_VLLM": "orphan",
                "FAKE_VLLM_DONE": str(folder / "done"),
                "ENGINE_STALL_TIMEOUT": "5",
                "STARTUP_TIMEOUT": "30",  # it may be frozen while it starts, too
                "MAX_RESTARTS": "1000000",
                "MAX_CONCURRENCY": str(max(at_once, _STREAMS)),
            },
        )
        try:
            worker.until_ready()
            faults = Faults(worker, platform, dice)
            with ThreadPoolExecutor(at_once) as pool, Readiness(worker) as readiness:
                end = time.monotonic() + seconds
                running = {pool.submit(run_job, platform, n, dice, outcome) for n in range(at_once)}
                number, next_fault, began = at_once, time.monotonic() + every, None
                while time.monotonic() < end:
                    done, running = wait(running, 0.5, FIRST_COMPLETED)
                    if faulty := [fault for one in done if (fault := one.exception())]:
                        raise SystemExit(f"the soak itself is at fault: {faulty[0]!r}")
                    if began is None and number >= 2 * at_once and list(proxies(worker)):
                        began = size(worker)
                    for _ in done:
                        running.add(pool.submit(run_job, platform, number, dice, outcome))
                        number += 1
                    if time.monotonic() >= next_fault:
                        faults.one()
                        next_fault = time.monotonic() + every * dice.uniform(0.5, 1.5)
                platform.no_faults()
                for one in running:
                    one.result()
            until(lambda: worker.ping() == 200, what="readiness at the end")
            until(lambda: list(proxies(worker)), what="a proxy at the end")
            status = worker.status()
            print(
                f"jobs: {number}, {at_once} at a time, in {seconds / 60:.1f} minutes; seed {seed}"
            )
            print(f"ended: {dict(outcome.states)}")
            print(f"failed with a reason: {sum(outcome.reasons.values())}")
            for reason, count in outcome.reasons.most_common():
                print(f"  {count:5} {reason}")
            print(f"failed without one: {len(outcome.without_reason)} {outcome.without_reason[:3]}")
            print(f"lost: {len(outcome.lost)} {outcome.lost[:3]}")
            print(f"doubled: {len(outcome.doubled)} {outcome.doubled[:3]}")
            print(f"faults: {dict(faults.count)}")
            print(f"restarts: {status['restarts']}; sent again: {status['jobs']['resent']}")
            streams = lost_streams(worker)
            median = statistics.median(outcome.waits) if outcome.waits else 0.0
            print(f"streams begun: {outcome.begun}; of those that lost their engine: {streams}")
            print(f"from such a loss to the next token: {median:.2f} s, median")
            print(f"longest time without a ready engine: {readiness.longest:.1f} s")
            print(f"at the beginning: {began}")
            print(f"at the end:       {size(worker)}")
            twice = run_twice(folder / "done")
            print(f"run twice to the end by the engine: {len(twice)} {twice[:3]}")
            first, others = one_end(worker, platform, _STREAMS)
            print(f"{_STREAMS} streams at one end of the engine: {len(first)} went on")
            median = statistics.median(first) if first else 0.0
            print(f"from READY to the first new token of such a stream: {median:.2f} s, median")
            code, in_hand = stop_under_load(worker, platform, max(at_once, _STREAMS))
            print(f"stopped under load; taken and not answered: {len(in_hand)} {in_hand[:3]}")
            left = len(worker.left())
            # The stand-in may print its own, where a client has gone.
            _, *traces = worker.text().split("Traceback")
            tracebacks = sum("/fake_vllm/" not in trace[:4000] for trace in traces)
            print(f"exit code {code}, processes left {left}, tracebacks in the log {tracebacks}")
            bad = bool(outcome.lost or outcome.doubled or outcome.without_reason or in_hand)
            bad = bad or bool(others)
            # A proxy that is killed when the engine has answered, and the platform has not been
            # told, leaves a job of which nobody can know that: some at each such kill.
            bad = bad or len(twice) > faults.count["proxy killed"] * at_once / 10
            went_on = outcome.waits or streams.get("resumed")
            bad = bad or bool(faults.count["engine killed"] and streams and not went_on)
            return int(bad or bool(code or left or tracebacks))
        finally:
            worker.end()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, default=100, help="at a time")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two faults")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, help="where the worker's log stays")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return soak(
            asked.minutes * 60, asked.jobs, asked.every, asked.seed, asked.keep or Path(folder)
        )


if __name__ == "__main__":
    sys.exit(main())
