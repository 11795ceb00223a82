"""One run of the proxy: from its spawn to its end, with what it reports.

It knows a plan and a way to put events, and decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ..command import chat_template
from ..command.plan import Plan
from ..errors import OutOfResources, SupervisorError
from ..link import handover
from ..link.handover import Check
from ..link.journal import Journal, read_some
from ..models.hub import weights_folder
from ..secrets import masked, secret_values
from ..settings import handed, otel, table
from ..telemetry.instance import instance
from . import lifecycle
from .logs.speaker import PROXY, Speaker
from .process import descriptors
from .process.child import Child
from .process.launcher import Launcher

log = logging.getLogger("supervisor")

#: Where `python -m proxy` finds the proxy.
TREE = Path(__file__).parents[2]
_SPAWN_PAUSE = 1.0  # seconds after a proxy that could not be started, for want of something
_WHY_MOST = 2000  # characters; the platform gets fewer
_TELL_WITHIN = 20.0  # seconds: the SDK's import, and one request
_PIPE_SIZE = 1 << 20  # bytes: the kernel's most without a privilege


class ProxyRun:
    """One proxy.

    Args:
        plan: what is run.
        env: the worker's environment.
        launcher: starts it.
        journal: takes in what it reports, and has the jobs that the one before left.
        put: takes the events: JobTaken, ProxyExited.
        checked: a proxy before it has found the machine fit.
    """

    def __init__(
        self,
        plan: Plan,
        env: Mapping[str, str],
        launcher: Launcher,
        journal: Journal,
        put: Callable[[lifecycle.Event], None],
        *,
        checked: bool,
    ) -> None:
        self._plan = plan
        self._env = env
        self._launcher = launcher
        self._journal = journal
        self._put = put
        self._taken = journal.taken  # jobs, by those before it
        self._took = False  # one itself
        self._owed: set[signal.Signals] = set()  # as soon as it hears them
        self._child: Child | None = None
        self._reports: int | None = None  # the descriptor
        #: Whether the machine was found fit, by this one or one before it.
        self.checked = checked

    async def run(self) -> None:
        """Start it, watch it until it has ended, and put `ProxyExited`."""
        code, cause, wanting = None, None, False
        try:
            code = await self._from_start_to_end()
            cause = self._journal.cause
        except SupervisorError as reason:
            cause, wanting = str(reason), isinstance(reason, OutOfResources)
        except OSError as reason:
            cause, wanting = reason.strerror or str(reason), descriptors.lacking(reason)
        if code is None:
            await asyncio.sleep(_SPAWN_PAUSE)
        self._journal.proxy_ended()
        jobs = self._journal.in_hand
        self._put(lifecycle.ProxyExited(code, cause, jobs, wanting=wanting))

    def tell(self, number: signal.Signals) -> None:
        """`handover.FINISH`: finish the jobs in hand; `handover.ABORT`: end them with an error."""
        self._owed.add(number)
        self._tell_what_is_owed()

    def catch_up(self) -> None:
        """Take in what it has reported by now; without this that is done when the loop comes by."""
        while self._reports is not None and _readable(self._reports):
            if not self._take_report(self._reports):
                return

    def kill(self) -> None:
        """SIGKILL to all of its group."""
        if self._child is not None:
            self._child.signal(signal.SIGKILL)

    async def _from_start_to_end(self) -> int:
        """Its exit code."""
        left = self._journal.left()
        if left:
            log.info("the proxy takes over %d jobs of the one before", left.count(b"\n"))
        with contextlib.ExitStack() as ends:
            reports, child = self._spawn(left, ends)
            self._child, self._reports = child, reports
            self._tell_what_is_owed()
            try:
                code = await child.wait()
            finally:
                self._child = self._reports = None
            self._launcher.release(child)
            while read_some(reports, self._journal) and _readable(reports):
                pass
            return code

    def _spawn(self, left: bytes, ends: contextlib.ExitStack) -> tuple[int, Child]:
        """The descriptor of its reports, closed with `ends`, and its process."""
        loop = asyncio.get_running_loop()
        ours, its = os.pipe()
        ends.callback(os.close, ours)
        with contextlib.ExitStack() as passed:
            passed.callback(os.close, its)
            os.set_blocking(ours, False)
            # Before the spawn: what fails here leaves no proxy that nobody hears.
            loop.add_reader(ours, self._take_report, ours)
            ends.callback(loop.remove_reader, ours)
            with contextlib.suppress(OSError):  # a small pipe will do
                fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
            jobs = _memory_file(left)
            passed.callback(os.close, jobs)
            environment = {
                **self._environment(),
                handover.REPORT_FD: str(its),
                handover.JOBS_FD: str(jobs),
            }
            command = [sys.executable, "-m", "proxy"]
            # Observed for as long as it lives: its lines, and the SDK's, are shown without secrets.
            return ours, self._launcher.spawn(
                command,
                environment,
                str(TREE),
                observe=_nobody,
                pass_fds=(its, jobs),
                speaker=Speaker(PROXY, self._launcher.sink.signature),
            )

    def _take_report(self, fd: int) -> bool:
        """Read some; whether more may come."""
        more = read_some(fd, self._journal)
        if not more:
            asyncio.get_running_loop().remove_reader(fd)
        if self._journal.works:
            self.checked = True
            self._tell_what_is_owed()
        if self._journal.taken > self._taken and not self._took:
            self._took = True
            self._put(lifecycle.JobTaken())
        return more

    def _tell_what_is_owed(self) -> None:
        # Until its handlers are installed, a signal would kill the proxy and its inherited jobs.
        if self._child is not None and (self._journal.works or not self._journal.in_hand):
            while self._owed:
                self._child.tell(self._owed.pop())

    def _environment(self) -> dict[str, str]:
        settings, plan = self._plan.settings, self._plan
        # With a key that was moved from the command line, but not the engine's name among services.
        moved = {k: v for k, v in plan.engine_env.items() if not k.startswith(otel.FAMILY)}
        env = {**self._env, **moved}
        folder = weights_folder(plan.value("--download-dir"), env, plan.download)
        return {
            **handed.to_proxy(env),
            table.ENGINE_URL.name: settings.engine_url,
            table.CONTROL_URL.name: settings.control_url,
            handover.FITNESS_CHECKS: ",".join(self._fitness_checks()) or handover.NO_CHECKS,
            handover.MODELS_FOLDER: str(folder),
            handover.LOG_SIGNATURE: self._launcher.sink.signature,
            handover.INSTANCE: instance(self._env),
            handed.CHAT_DEFAULTS: chat_template.defaults(plan.options),
            **plan.media.variables,
        }

    def _fitness_checks(self) -> list[str]:
        """What the SDK is to check before the first job.

        A machine that was fit still is, and the jobs themselves wait for the engine, only so long.
        """
        if self.checked:
            return []
        on_disk = self._plan.model_path is not None or (self._plan.model or "").startswith("/")
        to_download = not on_disk or self._plan.download is not None
        return [check for check in Check if to_download or check is not Check.DISK]


def _memory_file(data: bytes) -> int:
    """The descriptor of a file without a disk, to be read from its beginning."""
    descriptor = os.memfd_create("jobs")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def tell_platform(why: str, env: Mapping[str, str], signature: str) -> None:
    """Let a proxy of its own say that this worker is unhealthy, and wait until it has.

    Args:
        why: the cause.
        env: the worker's environment.
        signature: see `handover.LOG_SIGNATURE`.
    """
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-m", "proxy"],
            cwd=TREE,
            env={
                **handed.to_proxy(env),
                handover.UNHEALTHY: masked("", why, secret_values(env))[:_WHY_MOST],
                handover.LOG_SIGNATURE: signature,
            },
            stdin=subprocess.DEVNULL,
            timeout=_TELL_WITHIN,
            check=False,
        )


def _nobody(_output: bytes) -> None:
    """Wants to know what the proxy says."""
