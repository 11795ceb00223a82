"""Runs jobs, and sees that the platform and the supervisor hear how each one ended."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from proxy import excerpt, tally
from proxy.errors import JobError, WorkerStopped
from proxy.platform.results import Handler, Result, Results, failed
from proxy.traces.trace import Trace, Traces
from supervisor.link.figures import CANCELLED, Figures
from supervisor.link.report import Report
from supervisor.secrets import masked

log = logging.getLogger("proxy")

#: Stops that are remembered for jobs that have not begun; of the oldest the job is over.
_STOPS_MOST = 1000
_REASON_MOST = 300  # characters of an error in the log


class Runner:
    """Runs each job in the task that calls `run`, and can end it from outside.

    Args:
        handler: answers a job.
        results: hands its outputs to the platform.
        report: is told when a job has begun and when it has ended.
        traces: are told too, before anybody else.
        figures: count the jobs that the handler does not see.
    """

    def __init__(
        self,
        handler: Handler,
        results: Results,
        report: Report,
        traces: Traces | None = None,
        figures: Figures | None = None,
    ) -> None:
        self._handler = handler
        self._results = results
        self._report = report
        self._traces = traces or Traces()
        self._figures = figures or Figures()
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._stops: dict[str, None] = {}  # ids, in the order in which they came
        self._lost: dict[str, JobError] = {}
        self._aborted: JobError | None = None  # what every job ends with from now on

    async def run(self, job: dict[str, Any]) -> None:
        """Run `job` to its end; with an error only, if it was lost or the worker is aborted.

        Raises:
            asyncio.CancelledError: it was stopped; the platform knows that.
        """
        name = str(job["id"])
        trace = self._traces.begin(job)
        try:
            if name in self._stops:
                log.info("job %s: cancelled before it began", name, extra={"job": name})
                trace.cancelled()
                tally.count(self._figures, CANCELLED)
            elif reason := self._lost.pop(name, None) or self._aborted:
                _tell(name, reason)
                trace.failed(reason.status, reason.type)
                tally.count(self._figures, tally.outcome(reason))
                await self._results.finish(name, failed(reason), trace)
            else:
                await self._run(name, job, trace)
        finally:
            self._traces.end(name)
            self._stops.pop(name, None)  # of one that came while its result went out
            self._report.ended(name)

    async def _run(self, name: str, job: dict[str, Any], trace: Trace) -> None:
        try:
            result = await self._result(name, job, trace)
            # From here on neither a stop nor an abort finds the job: what is told is not cut off.
            await self._results.finish(name, result, trace)
        except Exception as fault:
            log.exception("job %s: a fault in the worker itself", name, extra={"job": name})
            error = JobError(f"the worker failed on this job: {type(fault).__name__}")
            await self._results.finish(name, failed(error), trace)

    async def _result(self, name: str, job: dict[str, Any], trace: Trace) -> Result:
        """Run a job, which can be stopped or aborted until it has its result."""
        task = asyncio.current_task()
        if task is not None:
            # Only from here on: a task that is cancelled before its first step tells nobody, and
            # the news that a job has failed must not be cut off.
            self._running[name] = task
        try:
            return await self._results.run(self._handler, job, self._report.begun, trace)
        except asyncio.CancelledError:
            if self._aborted is None or task is None:
                raise
            task.uncancel()
            _tell(name, self._aborted)
            trace.failed(self._aborted.status, self._aborted.type)
            return failed(self._aborted)
        finally:
            self._running.pop(name, None)

    def stop(self, job: str) -> bool:
        """Stop a job, now or, if it has not begun, when its turn comes.

        Returns:
            Whether it was running.
        """
        task = self._running.get(job)
        if task is not None:
            task.cancel()
            return True
        self._stops[job] = None
        if len(self._stops) > _STOPS_MOST:
            del self._stops[next(iter(self._stops))]
        return False

    def lose(self, job: str, reason: JobError) -> None:
        """End a job with `reason` when its turn comes: its answer cannot be given any more."""
        self._lost[job] = reason

    def abort(self) -> None:
        """End each job that runs, and each that will, with an error."""
        self._aborted = WorkerStopped(
            "the worker was stopped before this job was done; send it again"
        )
        for task in list(self._running.values()):
            task.cancel()


def _tell(job: str, reason: JobError) -> None:
    """The line of a job that fails without its handler."""
    fields = {"job": job, "status": reason.status, "error_kind": reason.type}
    why = excerpt.text(masked("", str(reason)), _REASON_MOST)
    log.warning(
        "job %s: %d %s: %s", excerpt.text(job), reason.status, reason.type, why, extra=fields
    )
