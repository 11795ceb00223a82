"""A program that was started: by a thread of its own, which then waits for its end.

What a confined thread starts is confined as well: so nothing of ours has to run between fork and
exec, which would be slow and, beside other threads, unsafe.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

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
        #: For its end, and None behind it; each says whether somebody is still there.
        self._waiting: list[Callable[[], bool]] | None = []
        self._lock = threading.Lock()
        begun = threading.Event()
        found: list[subprocess.Popen[bytes]] = []
        faults: list[BaseException] = []

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
                found.append(begin())
            except BaseException as reason:  # noqa: BLE001 - raised again, by who waits for it
                faults.append(reason)
                return
            finally:
                begun.set()
            # It stays a zombie until `wait` takes it in, so that no signal meets another one.
            os.waitid(os.P_PID, found[0].pid, os.WEXITED | os.WNOWAIT)
            with self._lock:
                waiting, self._waiting = self._waiting or [], None
            told = [tell() for tell in waiting]
            if True not in told:
                found[0].wait()

        threading.Thread(target=run, name="child-watcher", daemon=True).start()
        # As long as `Popen` itself takes: nothing may come between the child and who kills it.
        begun.wait()
        for fault in faults:
            raise fault
        self._process = found[0]
        self.pid = self._process.pid

    async def wait(self) -> int:
        """Until it ends; its exit code, negative for a signal."""
        import asyncio  # not before the first engine is spawned

        over, loop = asyncio.Event(), asyncio.get_running_loop()

        def tell() -> bool:
            try:
                loop.call_soon_threadsafe(over.set)
            except RuntimeError:  # the loop is closed
                return False
            return True

        with self._lock:
            if self._waiting is None:
                over.set()
            else:
                self._waiting.append(tell)
        try:
            await over.wait()
        finally:
            with self._lock:
                if self._waiting is not None:
                    self._waiting.remove(tell)
        return self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Signal it; one that has ended is no error."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
