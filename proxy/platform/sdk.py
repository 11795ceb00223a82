"""The RunPod SDK, and what it needs to lose no job and no time.

At SIGTERM the SDK stops asking for jobs, but its open poll goes on for up to 90 s, and a job that
arrives in it is fetched and never run. `DrainingScaler` ends a poll that the platform holds, lets
one that is being answered arrive, and the loop go on until every job that has arrived has run; at
SIGUSR1 each ends with an error. It begins jobs when they arrive, forgets no stop, and what a job
yields goes to the platform by `results`.

All of it uses names of the SDK's inside, so `install` looks first whether they are still there, and
leaves the SDK as it is where they are not.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeVar

import runpod
from runpod.serverless.modules import rp_http, rp_scale

from proxy.errors import JobError, WorkerStopped
from proxy.platform import fitness
from proxy.platform.results import Results
from supervisor.link.figures import Figures
from supervisor.link.report import EVERY, Left, Report

T = TypeVar("T")

log = logging.getLogger("proxy")

_STOPPED_MOST = 1000  # ids that are remembered
# our entries in the SDK's configuration
_RELAY, _REPORT, _LEFT = (f"vllm_supervisor_{name}" for name in ("relay", "report", "left"))

_PAUSE_FIRST, _PAUSE_MOST = 0.2, 10.0  # seconds after a poll that failed
_TOO_SOON = 0.05  # seconds: a poll that brings nothing is held for long
_ANSWER_COMES = 1.0  # seconds: where jobs wait, a poll is answered by then


class Relay(Protocol):
    """What answers the jobs."""

    figures: Figures

    def handler(self, job: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """Answer one job."""

    async def open(self) -> None:
        """Called at the beginning, inside the event loop."""

    async def until_given_up(self) -> str:
        """Wait until no job can be answered any more; why."""

    async def close(self) -> None:
        """Called at the end, inside the event loop."""


def serve(relay: Relay, concurrency: int, report: Report, left: Iterable[Left]) -> None:
    """Take jobs until told to stop.

    Never changes the concurrency: the SDK waits for every job in flight before it does, and
    deadlocks at 0.

    Args:
        relay: answers them.
        concurrency: how many at once.
        report: is told of each.
        left: what the process before this one had in hand; it comes first.
    """
    install()
    runpod.serverless.start(configuration(relay, concurrency, report, left))


def configuration(
    relay: Relay, concurrency: int, report: Report, left: Iterable[Left]
) -> dict[str, Any]:
    """What the SDK is started with, and what the scaler finds in it."""
    return {
        "handler": relay.handler,
        "concurrency_modifier": lambda _current: concurrency,
        "return_aggregate_stream": True,
        _RELAY: relay,
        _REPORT: report,
        _LEFT: list(left),
    }


def install() -> bool:
    """Put the draining scaler in the SDK's place for its own.

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
    """What the draining scaler needs and this SDK does not have."""
    scaler = rp_scale.JobScaler
    for name in (
        "handle_shutdown",
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
    for name in (
        "self.jobs_fetcher(session, jobs_needed)",
        "self.stop_signals_fetcher(session)",
        "self.jobs_handler(session, self.config, job)",
        "self.jobs_tasks.pop(job",
        "self.jobs_queue = asyncio.Queue(maxsize=self.current_concurrency)",
        "await self.jobs_queue.put(job)",
    ):
        if name not in source:
            return name
    return None


class DrainingScaler(rp_scale.JobScaler):  # type: ignore[misc]  # the SDK is typed in parts only
    """The SDK's scaler with another beginning and end of jobs, and another end of the worker."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        # As `set_scale` would leave them after its first look; it then has nothing to change.
        self.current_concurrency: int = self.concurrency_modifier(self.current_concurrency)
        self.jobs_queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=self.current_concurrency)
        self._draining = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fetch_jobs: Callable[..., Any] = self.jobs_fetcher
        self._fetch_stops: Callable[..., Any] = self.stop_signals_fetcher
        self.jobs_fetcher: Callable[..., Any] = self._jobs
        self.stop_signals_fetcher: Callable[..., Any] = self._stops
        self.jobs_handler: Callable[..., Any] = self._run_job
        self._stopped: dict[str, None] = {}  # in the order in which they were stopped
        self._results = Results(rp_http.JOB_STREAM_URL, rp_http.JOB_DONE_URL)
        self._relay: Relay = config[_RELAY]
        self._report: Report = config[_REPORT]
        self._left: list[Left] = config[_LEFT]
        self._hopeless: dict[str, JobError] = {}  # jobs that are told of, not run
        self._aborted: JobError | None = None  # what every job ends with from now on
        self._failed_polls = 0

    async def run(self) -> None:
        """Run the SDK's loops until the worker is stopped and every job is done."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGUSR1, self._abort)
        await self._report.open()
        await self._relay.open()
        beside = [asyncio.create_task(work) for work in (self._tell(), self._watch())]
        try:
            await super().run()
        finally:
            for task in beside:
                task.cancel()
            self._report.figures(self._relay.figures)
            await self._relay.close()

    async def _tell(self) -> None:
        while True:
            self._report.figures(self._relay.figures)
            await asyncio.sleep(EVERY)

    async def _watch(self) -> None:
        """Where the engine is given up: tell the platform, let each job end with the cause."""
        why = await self._relay.until_given_up()
        log.error("%s", why)
        self._draining.set()
        await asyncio.to_thread(fitness.report_unhealthy, why)

    async def run_jobs(self, session: Any) -> None:
        """Begin each job when it arrives; the SDK itself looks for new ones every 0.1 s."""
        tasks: set[asyncio.Task[None]] = set()
        while self.is_alive() or not self.jobs_queue.empty():
            if len(tasks) >= self.current_concurrency:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                continue
            job = await _unless(self._shutdown_event.wait(), self.jobs_queue.get())
            if job is not None:
                task = asyncio.create_task(self.handle_job(session, job))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks, return_exceptions=True)

    def handle_shutdown(self, signum: int, frame: object) -> None:
        """Begin to drain; the second time, end every job. A signal handler: it wakes the loop."""
        del signum, frame
        if self._loop is None:
            self.kill_worker()
        else:
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if not self._draining.is_set():
            self._draining.set()
        else:
            self._abort()

    def _abort(self) -> None:
        self._draining.set()
        self._aborted = WorkerStopped(
            "the worker was stopped before this job was done; send it again"
        )
        for task in list(self.jobs_tasks.values()):
            task.cancel()

    async def _jobs(self, session: Any, wanted: int) -> Any:
        if self._left:
            taken, self._left = self._left[:wanted], self._left[wanted:]
            return [self._taken_over(job) for job in taken]
        if self._draining.is_set():
            while self.current_occupancy() > 0:
                await asyncio.sleep(0.02)
            self.kill_worker()
            return None
        began = time.monotonic()
        try:
            found = await _unless(self._poll_is_idle(began), self._fetch_jobs(session, wanted))
        except TimeoutError:  # as the platform ends a poll for which there was no job
            raise
        except Exception:
            await self._pause()
            raise
        if not found and time.monotonic() - began < _TOO_SOON:
            await self._pause()
        else:
            self._failed_polls = 0
        for job in found or ():
            self._report.taken(job)
        return found

    async def _poll_is_idle(self, began: float) -> None:
        """Return when the worker drains, and no answer to a poll that began then is on its way.

        Nobody gets back a job that arrives where a poll has just been ended. Where jobs wait, that
        would be likely; where the platform holds the poll, it is not.
        """
        await self._draining.wait()
        await asyncio.sleep(began + _ANSWER_COMES - time.monotonic())

    async def _pause(self) -> None:
        """Wait, longer each time, before the platform is asked again."""
        full = min(_PAUSE_MOST, _PAUSE_FIRST * 2.0 ** min(self._failed_polls, 10))
        self._failed_polls += 1
        pause = asyncio.sleep(full * random.uniform(0.5, 1.0))  # noqa: S311
        await _unless(self._draining.wait(), pause)

    def _taken_over(self, left: Left) -> dict[str, Any]:
        if left.job is not None:
            log.info("job %s: is run again, the relay had ended before it answered", left.id)
            return left.job
        self._hopeless[left.id] = WorkerStopped(
            "the worker's relay ended in the middle of this answer; send the job again"
        )
        return {"id": left.id, "input": {}}

    async def _run_job(self, session: Any, config: dict[str, Any], job: dict[str, Any]) -> None:
        name = str(job["id"])
        try:
            if name in self._stopped:
                del self._stopped[name]
                log.info("job %s: cancelled before it began", name)
                return
            if reason := self._hopeless.pop(name, None) or self._aborted:
                await self._results.fail(session, name, reason)
                return
            task = asyncio.current_task()
            if task is not None:
                # Not before: a task that is cancelled before its first step tells nobody, and what
                # is being told is not to be cut off.
                self.jobs_tasks[name] = task
            try:
                await self._results.run(session, config["handler"], job, self._report.begun)
            except asyncio.CancelledError:
                if self._aborted is None or task is None:
                    raise
                task.uncancel()
                self.jobs_tasks.pop(name, None)
                await self._results.fail(session, name, self._aborted)
        finally:
            self._report.ended(name)

    async def stop_job(self, job_id: str) -> bool:
        """Stop a job. One that is on its way, or waits here, has no task yet: it will not begin."""
        found: bool = await super().stop_job(job_id)
        if not found:
            self._stopped[job_id] = None
            if len(self._stopped) > _STOPPED_MOST:  # of jobs that had ended, most likely
                del self._stopped[next(iter(self._stopped))]
        return found

    async def _stops(self, session: Any) -> Any:
        # Jobs in hand can be cancelled to the last; the poll ends with the worker.
        found = await _unless(self._shutdown_event.wait(), self._fetch_stops(session))
        return found or []


async def _unless(end: Coroutine[Any, Any, object], work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` returns, or None if `end` comes first; `work` is then cancelled, and if it was
    done all the same, its result counts: a job that has arrived is run.
    """
    working = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(end)
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
        return await _result(working)
    finally:
        waiting.cancel()
        working.cancel()


async def _result(working: Awaitable[T]) -> T | None:
    try:
        return await working
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return None
