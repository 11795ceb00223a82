"""Starts the RunPod SDK, with our own policy in the place of its scaler's.

The SDK's scaler begins one job in each turn of its loop, loses all jobs of a poll for one that
cannot be read, runs no job that arrives while it stops, is deaf after a freeze, and loses a result
when its connection breaks. `DrainingScaler` leaves that to `Intake`, `Runner` and `Results`; pings,
headers, addresses and the fitness checks are the SDK's. `install` looks first whether the names
that this needs are still there, and leaves the SDK as it is where they are not.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Protocol

import runpod
from runpod import http_client
from runpod.serverless.modules import rp_http, rp_job, rp_scale, worker_state

from proxy.awake import Awake
from proxy.errors import JobError
from proxy.platform import fitness
from proxy.platform.intake import Intake
from proxy.platform.results import Handler, Results
from proxy.platform.runner import Runner
from proxy.poll import stops
from proxy.poll.fetch import Fetch
from proxy.poll.polled import Job
from proxy.poll.polls import Polls
from proxy.stream.raw import RawJson
from proxy.traces.trace import Traces
from proxy.wire.posts import Posts
from supervisor.link import handover
from supervisor.link.figures import Figures
from supervisor.link.report import Inherited, Report

log = logging.getLogger("proxy")

#: Our entries in the SDK's configuration.
_HANDLER, _REPORT, _INHERITED, _AWAKE = (
    f"vllm_supervisor_{name}" for name in ("handler", "report", "inherited", "awake")
)


class JobHandler(Protocol):
    """Answers jobs; see `proxy.handler`."""

    figures: Figures
    traces: Traces

    def __call__(self, job: Job, sent: Sequence[bytes] | None, /) -> AsyncGenerator[Any, None]:
        """Answer one job; raises JobError where it fails."""

    async def until_given_up(self) -> str:
        """Wait until no job can be answered any more; returns why."""

    async def prepare(self) -> None:
        """Do beside the first jobs what later ones may need."""

    def thawed(self) -> None:
        """The process stood still; connections may be dead."""

    async def close(self) -> None:
        """Called at the end, inside the event loop."""


def serve(
    handler: JobHandler,
    concurrency: int,
    report: Report,
    inherited: Iterable[Inherited],
    awake: Awake,
) -> None:
    """Take jobs until told to stop.

    Never changes the concurrency: the SDK waits for every job in flight before it does, and
    deadlocks at 0.

    Args:
        handler: answers them.
        concurrency: how many at once.
        report: is told of each.
        inherited: the jobs that the previous proxy left; they come first.
        awake: is watched from now on.
    """
    install()
    runpod.serverless.start(configuration(handler, concurrency, report, inherited, awake))


def configuration(
    handler: JobHandler,
    concurrency: int,
    report: Report,
    inherited: Iterable[Inherited],
    awake: Awake,
) -> dict[str, Any]:
    """What the SDK is started with, and what `DrainingScaler` finds in it; see `serve`."""
    return {
        "handler": in_the_sdks_form(handler),
        "concurrency_modifier": lambda _current: concurrency,
        "return_aggregate_stream": True,
        _HANDLER: handler,
        _REPORT: report,
        _INHERITED: list(inherited),
        _AWAKE: awake,
    }


def in_the_sdks_form(handler: Handler) -> Callable[[Job], AsyncGenerator[Any, None]]:
    """`handler` for an SDK that runs jobs itself: a failure is the last output, `{"error": ...}`.

    It takes a generator function only, and writes an exception with its traceback into the job. It
    takes every output with a truthy `error` for a failure, so a sound answer of the engine that has
    one still fails its job there, with Python's repr of that field.
    """

    async def answer(job: Job) -> AsyncGenerator[Any, None]:
        try:
            async for output in handler(job, None):
                yield json.loads(output) if isinstance(output, RawJson) else output
        except JobError as reason:
            yield {"error": reason.as_json()}

    return answer


def install() -> bool:
    """Put `DrainingScaler` in the place of the SDK's scaler.

    Returns:
        Whether this SDK has what that needs; False leaves it as it is, with a warning.
    """
    missing = _missing()
    if missing:
        log.warning(
            "runpod %s has no %s: jobs that arrive while the worker stops can be lost",
            runpod.__version__,
            missing,
        )
        return False
    setattr(rp_scale, "JobScaler", DrainingScaler)  # noqa: B010 - to mypy a class is no variable
    return True


def _missing() -> str | None:
    """The first thing that `DrainingScaler` needs and this SDK does not have."""
    scaler = rp_scale.JobScaler
    methods = ("start", "run", "handle_shutdown", "is_alive", "kill_worker")
    kind: Any
    for owner, names, kind in (
        (scaler, methods, Callable),
        (worker_state.JobsProgress, ("add", "remove"), Callable),
        (http_client, ("AsyncClientSession", "get_auth_header"), Callable),
        (rp_job, ("_job_stop_url",), Callable),
        (rp_job, ("JOB_GET_URL",), str),
        (rp_http, ("JOB_STREAM_URL", "JOB_DONE_URL"), str),
    ):
        for name in names:
            if not isinstance(getattr(owner, name, None), kind):
                return f"{owner.__name__.rpartition('.')[2]}.{name}"
    source = inspect.getsource(scaler)
    for text in (
        "self.config = config",
        "self.concurrency_modifier = concurrency_modifier",
        "signal.signal(signal.SIGTERM, self.handle_shutdown)",
        "asyncio.run(self.run())",
    ):
        if text not in source:
            return text
    return None


async def _watched(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except Exception:
        log.exception("a fault in the worker itself")


class DrainingScaler(rp_scale.JobScaler):  # type: ignore[misc]  # the SDK is typed in parts only
    """The SDK's scaler; which jobs are taken and how they run is ours."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handler: JobHandler = config[_HANDLER]
        self._report: Report = config[_REPORT]
        self._awake: Awake = config[_AWAKE]
        self._posts = Posts()
        headers = http_client.get_auth_header()
        headers.pop("Accept-Encoding", None)  # of the answer to a post nothing is read
        streams, done, figures = rp_http.JOB_STREAM_URL, rp_http.JOB_DONE_URL, self._handler.figures
        results = Results(self._posts, streams, done, headers, self._awake.now, figures)
        self._runner = Runner(self._handler, results, self._report, self._handler.traces, figures)
        self._stops_url: str | None = rp_job._job_stop_url()  # looked for above; perhaps none
        fetch = Fetch(rp_job.JOB_GET_URL, self._stops_url or "", lambda: self.intake.busy)
        session = http_client.AsyncClientSession
        polls, self._polls_for_stops = Polls(fetch.jobs, session), Polls(fetch.stops, session)
        self.intake = Intake(
            polls,
            self._runner,
            self._report,
            worker_state.JobsProgress(),
            self.concurrency_modifier(1),
            config[_INHERITED],
            figures=figures,
        )
        for part in (self._posts, polls, self._polls_for_stops, self._handler):
            self._awake.on_thaw(part.thawed)

    async def run(self) -> None:
        """Take and run jobs until the worker is stopped and every job is done."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(handover.ABORT, self.intake.abort)
        if not self.is_alive():
            self.intake.drain()  # the stop came before the loop ran
        await self._report.open()
        beside = [asyncio.create_task(_watched(each)) for each in self._beside_the_jobs()]
        try:
            await self.intake.run()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            self._report.figures(self._handler.figures)
            self._report.close()
            self._posts.close()
            await self._handler.close()

    def _beside_the_jobs(self) -> Iterator[Coroutine[Any, Any, object]]:
        yield self._awake.watch()
        yield self._handler.prepare()
        yield self._report.repeat(self._handler.figures)
        yield self.intake.drain_when(self._handler.until_given_up, fitness.report_unhealthy)
        if self._stops_url is None:
            log.warning("RUNPOD_WEBHOOK_GET_JOB has no /job-take/: jobs cannot be cancelled here")
        else:
            yield stops.hear(self._polls_for_stops, self._runner.stop)

    def handle_shutdown(self, signum: int, frame: object) -> None:
        """Begin to drain; the second time, end every job. A signal handler: it wakes the loop."""
        del signum, frame
        if self._loop is None:
            self.kill_worker()
        else:
            self._loop.call_soon_threadsafe(self.intake.stop)
