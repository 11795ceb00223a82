"""Starts the RunPod SDK, with our own policy in the place of its scaler's.

At SIGTERM the SDK's scaler stops asking for jobs, but its open poll goes on for up to 90 s, and a
job that arrives in it is fetched and never run. It looks for new jobs every 0.1 s, forgets a stop
that comes before its job, and loses a result when its connection breaks. `DrainingScaler` hands all
of that to `Intake`, `Dispatcher`, `Runner` and `Results`.

It uses names of the SDK's inside, so `install` looks first whether they are still there, and leaves
the SDK as it is where they are not.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any, Protocol

import aiohttp
import runpod
from runpod.serverless.modules import rp_http, rp_scale

from proxy.errors import JobError
from proxy.platform import fitness
from proxy.platform.dispatch import Dispatcher
from proxy.platform.intake import Intake, Job, Platform
from proxy.platform.results import Handler, Results
from proxy.platform.runner import Runner
from supervisor.link import handover
from supervisor.link.figures import Figures
from supervisor.link.report import Inherited, Report

log = logging.getLogger("proxy")

#: Our entries in the SDK's configuration.
_HANDLER, _REPORT, _INHERITED = (
    f"vllm_supervisor_{name}" for name in ("handler", "report", "inherited")
)


class JobHandler(Protocol):
    """Answers jobs; see `proxy.handler`."""

    figures: Figures

    def __call__(self, job: Job) -> AsyncGenerator[Any, None]:
        """Answer one job; raises JobError where it fails."""

    async def until_given_up(self) -> str:
        """Wait until no job can be answered any more; returns why."""

    async def close(self) -> None:
        """Called at the end, inside the event loop."""


def serve(
    handler: JobHandler, concurrency: int, report: Report, inherited: Iterable[Inherited]
) -> None:
    """Take jobs until told to stop.

    Never changes the concurrency: the SDK waits for every job in flight before it does, and
    deadlocks at 0.

    Args:
        handler: answers them.
        concurrency: how many at once.
        report: is told of each.
        inherited: the jobs that the previous proxy left; they come first.
    """
    install()
    runpod.serverless.start(configuration(handler, concurrency, report, inherited))


def configuration(
    handler: JobHandler, concurrency: int, report: Report, inherited: Iterable[Inherited]
) -> dict[str, Any]:
    """What the SDK is started with, and what `DrainingScaler` finds in it; see `serve`."""
    return {
        "handler": in_the_sdks_form(handler),
        "concurrency_modifier": lambda _current: concurrency,
        "return_aggregate_stream": True,
        _HANDLER: handler,
        _REPORT: report,
        _INHERITED: list(inherited),
    }


def in_the_sdks_form(handler: Handler) -> Handler:
    """`handler` for an SDK that runs jobs itself: a failure is the last output, `{"error": ...}`.

    It takes a generator function only, and writes an exception with its traceback into the job. It
    takes every output with a truthy `error` for a failure, so a sound answer of the engine that has
    one still fails its job there, with Python's repr of that field.
    """

    async def answer(job: Job) -> AsyncGenerator[Any, None]:
        try:
            async for output in handler(job):
                yield output
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
    for name in (
        "handle_shutdown",
        "is_alive",
        "kill_worker",
        "get_jobs",
        "run_jobs",
        "handle_job",
        "stop_job",
        "current_occupancy",
    ):
        if not callable(getattr(scaler, name, None)):
            return f"JobScaler.{name}"
    for name in ("JOB_STREAM_URL", "JOB_DONE_URL"):
        if not isinstance(getattr(rp_http, name, None), str):
            return f"rp_http.{name}"
    source = inspect.getsource(scaler)
    for text in (
        "self.jobs_fetcher(session, jobs_needed)",
        "self.stop_signals_fetcher(session)",
        "await self.stop_job(job_id)",
        "self.jobs_handler(session, self.config, job)",
        "self.concurrency_modifier = concurrency_modifier",
        "self.jobs_queue = asyncio.Queue(maxsize=self.current_concurrency)",
        "await self.jobs_queue.put(job)",
    ):
        if text not in source:
            return text
    return None


class DrainingScaler(rp_scale.JobScaler):  # type: ignore[misc]  # the SDK is typed in parts only
    """The SDK's scaler; what it asks and does goes to `intake` and to a `Runner`."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        # As `set_scale` would leave them after its first look; it then has nothing to change.
        self.current_concurrency: int = self.concurrency_modifier(self.current_concurrency)
        self.jobs_queue: asyncio.Queue[Job] = asyncio.Queue(maxsize=self.current_concurrency)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handler: JobHandler = config[_HANDLER]
        self._report: Report = config[_REPORT]
        results = Results(rp_http.JOB_STREAM_URL, rp_http.JOB_DONE_URL)
        self._runner = Runner(self._handler, results, self._report)
        platform = Platform(self.jobs_fetcher, self.stop_signals_fetcher, self.current_occupancy)
        self.intake = Intake(platform, self._runner, self._report, config[_INHERITED])
        self.jobs_fetcher: Callable[..., Any] = self._fetch_jobs
        self.stop_signals_fetcher: Callable[..., Any] = self.intake.stops
        self.jobs_handler: Callable[..., Any] = self._run_job

    async def run(self) -> None:
        """Run the SDK's loops until the worker is stopped and every job is done."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(handover.ABORT, self.intake.abort)
        await self._report.open()
        beside = [
            asyncio.create_task(self._report.repeat(self._handler.figures)),
            asyncio.create_task(
                self.intake.drain_when(self._handler.until_given_up, fitness.report_unhealthy)
            ),
        ]
        try:
            await super().run()
        finally:
            for task in beside:
                task.cancel()
            self._report.figures(self._handler.figures)
            self._report.close()
            await self._handler.close()

    async def run_jobs(self, session: aiohttp.ClientSession) -> None:
        """Begin each job when it arrives; the SDK itself looks for new ones every 0.1 s."""
        dispatcher = Dispatcher(
            self.jobs_queue.get,
            lambda job: self.handle_job(session, job),
            self.current_concurrency,
        )
        await dispatcher.until(
            self.intake.until_over, lambda: self.is_alive() or not self.jobs_queue.empty()
        )

    def handle_shutdown(self, signum: int, frame: object) -> None:
        """Begin to drain; the second time, end every job. A signal handler: it wakes the loop."""
        del signum, frame
        if self._loop is None:
            self.kill_worker()
        else:
            self._loop.call_soon_threadsafe(self.intake.stop)

    async def stop_job(self, job_id: str) -> bool:
        """Stop a job, now or when its turn comes; whether it was running."""
        return self._runner.stop(job_id)

    async def _fetch_jobs(self, session: aiohttp.ClientSession, wanted: int) -> list[Job] | None:
        jobs = await self.intake.jobs(session, wanted)
        if self.intake.over:
            self.kill_worker()
        return jobs

    async def _run_job(
        self, session: aiohttp.ClientSession, _config: dict[str, Any], job: Job
    ) -> None:
        await self._runner.run(session, job)
