"""`python -m bench.around.platform LOAD [CERTIFICATE]`: the SDK's protocol, for one run.

LOAD is a bench.load.Load as JSON; with a certificate, a file that also holds its key, it speaks
TLS. Prints the port, `begun` just before the first job is submitted, and, when all jobs are over, a
bench.around.tally.Delivered as JSON. The network is made here: a request counts as arrived half a
round trip after it was read, and its answer leaves a whole one after; a job and a stop reach the
worker half a round trip after they were submitted.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from bench.around.tally import Tally
from bench.around.wire import Connection, listen
from bench.load import MODEL, Load

SETTLE_S = 0.5  # after the worker's first question: its start-up is not part of the figures
_BEGUN_S = 0.2  # before the first job: CPU times are read meanwhile

_BATCH_SIZE = re.compile(r"[?&]batch_size=(\d+)")


@dataclass
class Platform:
    """The queue of one endpoint with one worker."""

    load: Load
    report: Callable[[str], None]
    waiting: list[str] = field(default_factory=list)
    polls: dict[Connection, int] = field(default_factory=dict)  # how many jobs each asks for
    stops: list[str] = field(default_factory=list)  # jobs that the worker has to stop
    stop_polls: list[Connection] = field(default_factory=list)
    asked: bool = False
    reported: bool = False

    def __post_init__(self) -> None:
        self.tally = Tally(self.load)
        self.round_trip_s = self.load.round_trip_ms / 1000
        self._half_ns = int(self.round_trip_s * 5e8)

    # --- what the worker asks ---

    def poll(self, connection: Connection, most: int) -> None:
        """The worker asks for jobs, 0 for a single one. Its first question sets the run going."""
        self.polls[connection] = most
        if not self.asked:
            self.asked = True
            self._schedule()
        self._hand_out()

    def stop_poll(self, connection: Connection) -> None:
        """The worker asks which jobs to stop."""
        self.stop_polls.append(connection)
        self._tell_stops()

    def gone(self, connection: Connection) -> None:
        """A connection is closed: nothing can be answered on it."""
        self.polls.pop(connection, None)
        if connection in self.stop_polls:
            self.stop_polls.remove(connection)

    def piece(self, name: str, body: bytes) -> None:
        """A piece of a stream; it has arrived half a round trip from now."""
        arrived = time.monotonic_ns() + self._half_ns
        output = json.loads(body).get("output")
        if self.tally.piece(name, output, arrived):
            self.stops.append(name)
            self._later(self._tell_stops)
            self._see_whether_over()

    def result(self, name: str, body: bytes) -> None:
        """A job's final result."""
        arrived = time.monotonic_ns() + self._half_ns
        # A long result is not parsed: what came meanwhile would seem late.
        error = json.loads(body).get("error") if b'"error"' in body else None
        if self.tally.result(name, body, error, arrived):
            if self.load.at_once and len(self.tally.jobs) < self.load.jobs:
                self._submit()
            self._see_whether_over()

    # --- jobs ---

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(SETTLE_S - _BEGUN_S, self.report, "begun")
        loop.call_later(SETTLE_S + self.load.limit_s, self._conclude)
        chance = random.Random(self.load.seed)  # noqa: S311 - the same arrivals in every run
        at_first = self.load.at_once or self.load.jobs
        if not self.load.spread_s:
            loop.call_later(SETTLE_S, self._submit, min(at_first, self.load.jobs))
            return
        for _ in range(self.load.jobs):
            loop.call_later(SETTLE_S + chance.uniform(0, self.load.spread_s), self._submit)

    def _submit(self, count: int = 1) -> None:
        """So many jobs enter the queue; the worker hears of it half a round trip later."""
        now = time.monotonic_ns()
        names = [f"job-{len(self.tally.jobs) + number}" for number in range(count)]
        for name in names:
            self.tally.submit(name, now)
        self._later(self._arrive, names)

    def _arrive(self, names: list[str]) -> None:
        self.waiting += names
        self._hand_out()

    def _hand_out(self) -> None:
        """Answer the newest question, if there is a job: an old one may have lost its reader."""
        if not self.polls or not self.waiting:
            return
        connection, most = self.polls.popitem()
        taken, self.waiting = self.waiting[: most or 1], self.waiting[most or 1 :]
        jobs = [{"id": name, "input": self._input(name)} for name in taken]
        connection.answer(200, json.dumps(jobs if most else jobs[0]).encode())

    def _input(self, name: str) -> dict[str, object]:
        messages = [{"role": "user", "content": f"Count, please. This is {name}."}]
        asked = {"model": MODEL, "messages": messages, "stream": self.load.streaming}
        asked |= {"max_tokens": self.load.tokens}
        return {"openai_route": "/v1/chat/completions", "openai_input": asked}

    def _tell_stops(self) -> None:
        if self.stop_polls and self.stops:
            self.stop_polls.pop().answer(200, json.dumps({"jobsToStop": self.stops}).encode())
            self.stops = []

    def _later(self, act: Callable[..., None], *what: object) -> None:
        asyncio.get_running_loop().call_later(self.round_trip_s / 2, act, *what)

    # --- the end ---

    def _see_whether_over(self) -> None:
        if self.tally.over:
            self._conclude()

    def _conclude(self) -> None:
        """Report the figures, once: all jobs are over, or time is up."""
        if not self.reported:
            self.reported = True
            self.report(json.dumps(asdict(self.tally.delivered())))


class Worker(Connection):
    """A connection of the worker."""

    platform: Platform

    def request(self, method: str, target: str, body: bytes) -> None:
        """See Connection."""
        parts = target.partition("?")[0].split("/")
        operation = parts[3] if len(parts) > 3 else ""
        if method == "POST":
            if operation == "job-stream":
                self.platform.piece(parts[5], body)
            elif operation == "job-done":
                self.platform.result(parts[5], body)
            self._in_time(b"{}")
        elif operation == "job-take":
            self.platform.poll(self, 0)
        elif operation == "job-take-batch":
            asked = _BATCH_SIZE.search(target)
            self.platform.poll(self, int(asked[1]) if asked else 1)
        elif operation == "job-stop":
            self.platform.stop_poll(self)
        else:
            self._in_time(b"{}")

    def connection_lost(self, _: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.platform.gone(self)

    def _in_time(self, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self.platform.round_trip_s, self.answer, 200, body)


def addresses(port: int, scheme: str = "http") -> dict[str, str]:
    """The environment that leads the SDK to the platform at that port."""
    base = f"{scheme}://127.0.0.1:{port}/v2/bench"
    return {
        "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{base}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID?gpu=none",
        "RUNPOD_POD_ID": "bench-worker",
        "RUNPOD_ENDPOINT_ID": "bench",
        "RUNPOD_AI_API_KEY": "bench",
    }


def _main(told: str, certificate: str | None = None) -> None:
    Worker.platform = Platform(Load(**json.loads(told)), lambda line: print(line, flush=True))
    secured = None
    if certificate:
        secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secured.load_cert_chain(certificate)
    listen(Worker, secured)


if __name__ == "__main__":
    _main(*sys.argv[1:])
