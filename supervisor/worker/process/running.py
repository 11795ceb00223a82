"""A program that was started: by a thread of its own, which then waits for its end.

What a confined thread starts is confined as well: so nothing of ours has to run between fork and
exec, which would be slow and, beside other threads, unsafe.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from .confined import confine


class Running:
    """One process, the leader of its group.

    Args:
        command: the program and its arguments.
        env: all of its environment.
        cwd: the folder in which it runs.
        output: the descriptor of its standard output and standard error.
        pass_fds: descriptors that it inherits.

    Raises:
        OSError: the system could not start it.
        RuntimeError: there was no thread to start it.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        output: int,
        pass_fds: Sequence[int],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        begun: concurrent.futures.Future[subprocess.Popen[bytes]] = concurrent.futures.Future()

        def begin() -> subprocess.Popen[bytes]:
            confine()
            return subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                pass_fds=pass_fds,
            )

        def run() -> None:
            try:
                process = begin()
            except BaseException as reason:  # noqa: BLE001 - raised again, by who waits for it
                begun.set_exception(reason)
                return
            begun.set_result(process)
            # It stays a zombie until the loop takes it in, so that no signal meets another one.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            try:
                self._loop.call_soon_threadsafe(self._reap)
            except RuntimeError:  # the loop is closed
                process.wait()

        threading.Thread(target=run, name="child-watcher", daemon=True).start()
        # As long as `Popen` itself takes: nothing may come between the child and who kills it.
        self._process = begun.result()
        self.pid = self._process.pid

    async def wait(self) -> int:
        """Until it ends; its exit code, negative for a signal."""
        return await asyncio.shield(self._ended)

    def send(self, number: signal.Signals) -> None:
        """Signal it; one that has ended is no error."""
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _reap(self) -> None:
        code = self._process.wait()
        if not self._ended.done():
            self._ended.set_result(code)
