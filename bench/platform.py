"""`python -m bench.platform LOAD`: the platform's side of the SDK's protocol, for one run.

LOAD is a bench.load.Load as JSON. Prints the port, `begun` with the first job handed out, and, when
all jobs are done, a bench.load.Delivered as JSON. The network is made here: a request counts as
arrived half a round trip after it was read, and its answer leaves a whole one after.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from bench.load import LONGEST_MARK, MARK, MODEL, Delivered, Load, percentile
from bench.wire import Connection, listen

SETTLE_S = 0.5  # after the worker's first question: its start-up is not part of the figures


@dataclass
class Job:
    """A job as the platform sees it."""

    number: int
    tokens: int = 0
    first_ms: float = 0
    rest: str = ""  # of a token's mark that was torn between two results
    done: bool = False
    problem: str = ""


@dataclass
class Platform:
    """All jobs of the run, and the figures."""

    load: Load
    report: Callable[[str], None]
    jobs: dict[str, Job] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    polls: list[tuple[Connection, bool]] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    out_of_order: int = 0
    posts: int = 0
    asked: bool = False
    began: float = 0
    reported: bool = False

    @property
    def round_trip_s(self) -> float:
        """The network's part of every request."""
        return self.load.round_trip_ms / 1000

    def poll(self, connection: Connection, *, batch: bool) -> None:
        """The worker asks for jobs. Its first question sets the run going."""
        self.polls.append((connection, batch))
        if not self.asked:
            self.asked = True
            self._schedule()
        self.hand_out()

    def hand_out(self) -> None:
        """Answer the question that waits, if there is a job."""
        if not self.polls or not self.waiting:
            return
        connection, batch = self.polls.pop()
        count = len(self.waiting) if batch else 1
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        jobs = [{"id": name, "input": self._input(name)} for name in taken]
        if not self.began:
            self.began = time.monotonic()
            self.report("begun")
        connection.answer(200, json.dumps(jobs if batch else jobs[0]).encode())

    def partial(self, name: str, body: bytes) -> None:
        """A partial result: its tokens have arrived half a round trip from now."""
        arrived = time.monotonic_ns() + int(self.round_trip_s * 5e8)
        self.posts += 1
        job = self.jobs[name]
        output = json.loads(body).get("output")
        if not isinstance(output, str):
            job.problem = job.problem or f"a partial result that is no text: {body[:200]!r}"
            return
        text = job.rest + output
        end = 0
        for mark in MARK.finditer(text):
            delay = (arrived - int(mark[2])) / 1e6
            if not job.tokens:
                job.first_ms = delay
            self.out_of_order += int(mark[1]) != job.tokens
            job.tokens += 1
            self.delays_ms.append(delay)
            end = mark.end()
        job.rest = text[max(end, len(text) - LONGEST_MARK) :]

    def finish(self, name: str, body: bytes) -> None:
        """A job's final result."""
        job = self.jobs[name]
        job.done = True
        if error := json.loads(body).get("error"):
            job.problem = job.problem or str(error)
        if all(each.done for each in self.jobs.values()):
            self.conclude()

    def conclude(self) -> None:
        """Report the figures, once: all jobs are done, or time is up."""
        if self.reported:
            return
        self.reported = True
        jobs = self.jobs.values()
        delivered = Delivered(
            seconds=time.monotonic() - self.began if self.began else 0.0,
            posts=self.posts,
            jobs_done=sum(job.done for job in jobs),
            jobs_failed=sum(bool(job.problem) for job in jobs),
            tokens=sum(job.tokens for job in jobs),
            tokens_out_of_order=self.out_of_order,
            delay_p50_ms=percentile(self.delays_ms, 0.5),
            delay_p90_ms=percentile(self.delays_ms, 0.9),
            delay_p99_ms=percentile(self.delays_ms, 0.99),
            delay_max_ms=max(self.delays_ms, default=0.0),
            first_token_p50_ms=percentile([job.first_ms for job in jobs], 0.5),
            problem=next((job.problem for job in jobs if job.problem), ""),
        )
        self.report(json.dumps(asdict(delivered)))

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        chance = random.Random(self.load.seed)  # noqa: S311 - the same arrivals in every run
        for number in range(self.load.streams):
            self.jobs[f"job-{number}"] = Job(number)
            after = SETTLE_S + chance.uniform(0, self.load.spread_s)
            loop.call_later(after, self._arrive, f"job-{number}")
        loop.call_later(self.load.limit_s, self.conclude)

    def _arrive(self, name: str) -> None:
        self.waiting.append(name)
        asyncio.get_running_loop().call_later(self.round_trip_s / 2, self.hand_out)

    def _input(self, name: str) -> dict[str, object]:
        messages = [{"role": "user", "content": f"Count, please. This is {name}."}]
        asked = {"model": MODEL, "messages": messages, "stream": True}
        asked |= {"max_tokens": self.load.tokens}
        return {"openai_route": "/v1/chat/completions", "openai_input": asked}


class Worker(Connection):
    """A connection of the worker."""

    platform: Platform

    def request(self, method: str, target: str, body: bytes) -> None:
        """See Connection."""
        parts = target.partition("?")[0].split("/")
        operation = parts[3] if len(parts) > 3 else ""
        if method == "POST":
            if operation == "job-stream":
                self.platform.partial(parts[5], body)
            elif operation == "job-done":
                self.platform.finish(parts[5], body)
            self._later(200, b"{}")
        elif operation in {"job-take", "job-take-batch"}:
            self.platform.poll(self, batch=operation == "job-take-batch")
        elif operation == "ping":
            self._later(200, b"{}")
        # job-stop is a long poll that nothing ever ends here.

    def _later(self, status: int, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self.platform.round_trip_s, self.answer, status, body)


def addresses(port: int) -> dict[str, str]:
    """The environment that leads the SDK to the platform at that port."""
    base = f"http://127.0.0.1:{port}/v2/bench"
    return {
        "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{base}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID?gpu=none",
        "RUNPOD_POD_ID": "bench-worker",
        "RUNPOD_ENDPOINT_ID": "bench",
        "RUNPOD_AI_API_KEY": "bench",
    }


if __name__ == "__main__":
    Worker.platform = Platform(
        Load(**json.loads(sys.argv[1])), lambda line: print(line, flush=True)
    )
    listen(Worker)
