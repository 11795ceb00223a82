"""Child processes in groups of their own: spawned, signalled and seen to be gone as a whole.

The first engine is spawned before asyncio is imported, which takes as long as a sixth of the rest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...errors import CommandNotExecutable, CommandNotFound, OutOfResources, SupervisorError
from ..logs import LogSink
from ..logs.speaker import SUPERVISOR, Speaker
from . import descriptors
from .guardian import Guardian
from .orphans import descendants
from .output import Output
from .running import Running

#: Seconds that a killed group may take, less than the lifecycle's `kill_grace`; a process in a
#: driver's uninterruptible sleep takes long.
GONE_WITHIN = 45.0
_READ_WITHIN = 1.0  # seconds: a process outside the group, such as Ray's, may hold the output
_POLL = 0.02
#: What a fork says where nothing is left for another process, in words that help.
_WANTING = {
    errno.EAGAIN: "no more processes and threads are allowed here; raise the limit"
    " (`docker run --pids-limit`, `ulimit -u`)",
    errno.ENOMEM: "no memory is left for another process",
}
_END_FIRST = "500"  # of 1000: how much sooner than others


class Child:
    """One running child, its process group and its output."""

    def __init__(self, process: Running, log: Output, guard: Guardian) -> None:
        self._process = process
        self._log = log
        self._guard = guard
        self.pid = process.pid
        self._ended = False  # whether the child itself has ended and is reaped
        self._gone = False
        self._watched: list[int] = []  # descriptors of its processes

    @classmethod
    def spawn(
        cls,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        sink: LogSink,
        guard: Guardian,
        *,
        observe: Callable[[bytes], None] | None = None,
        pass_fds: Sequence[int] = (),
        speaker: Speaker = SUPERVISOR,
    ) -> Child:
        """Start `command` in a process group of its own, its output going to `sink`.

        It may look into no other process of its user, where the kernel has `confined.confine`.

        Args:
            command: the program and its arguments.
            env: all of its environment.
            cwd: the folder in which it runs.
            sink: where its output goes.
            guard: what ends it if we end without doing so.
            observe: sees its output as well, until `unobserved`.
            pass_fds: descriptors that it inherits.
            speaker: who it is in the log.

        Raises:
            OutOfResources: no file descriptor, process or thread was left for it.
            SupervisorError: the system could not start it.
        """
        try:
            log = Output(sink, observe, speaker)
        except (OSError, RuntimeError) as reason:
            raise _not_started(command[0], reason) from None
        try:
            process = Running(command, env, cwd, log.write_fd, pass_fds)
        except FileNotFoundError:
            message = f"{command[0]}, or the interpreter in its first line, was not found"
            raise CommandNotFound(message) from None
        except PermissionError:
            raise CommandNotExecutable(f"{command[0]} is not executable") from None
        except (OSError, RuntimeError) as reason:
            raise _not_started(command[0], reason) from None
        finally:
            log.spawned()
        guard.add(process.pid)
        _end_first_for_memory(process.pid)
        return cls(process, log, guard)

    async def ended(self) -> int:
        """Until the child itself ends; others of its group may go on.

        Returns:
            Its exit code, negative for a signal.
        """
        return await self._process.wait()

    async def wait(self) -> int:
        """Until the child ends and nothing of its group is left.

        Returns:
            Its exit code, negative for a signal.
        """
        code = await self._process.wait()
        self._ended = True
        while self._watched:
            self._forget(self._watched.pop())
        # The API server's death leaves EngineCore alive, with the memory of the model.
        self.signal(signal.SIGKILL)
        await _until(lambda: not self.alive(), GONE_WITHIN)
        self._gone = not self.alive()
        if self._gone:
            # From here on the number may belong to somebody else's group.
            self._guard.remove(self.pid)
        await _until(lambda: self._log.over, _READ_WITHIN)
        return code

    @property
    def gone(self) -> bool:
        """Whether the end of the whole group has been seen."""
        return self._gone

    def alive(self) -> bool:
        """Whether any process of the group is left."""
        if self._gone:
            return False
        # As PID 1 we inherit its orphans, and a dead one counts as a member until it is reaped.
        with contextlib.suppress(ChildProcessError):
            while self._ended and os.waitpid(-self.pid, os.WNOHANG)[0]:
                pass
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def terminate(self) -> None:
        """SIGTERM to the child alone: vLLM's API server ends its own processes in order."""
        self.tell(signal.SIGTERM)

    def tell(self, number: signal.Signals) -> None:
        """Signal the child alone; one that has ended is no error."""
        self._process.send(number)

    def signal(self, number: signal.Signals) -> None:
        """Signal the whole group; a group that is gone is no error."""
        if self._gone:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def tell_of_deaths(self, told: Callable[[], None]) -> None:
        """Call `told` whenever one of the processes that it has now ends, until `wait` returns."""
        import asyncio

        loop = asyncio.get_running_loop()
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):  # it is gone, or no descriptor is left
                self._watched.append(descriptor := os.pidfd_open(pid))
                loop.add_reader(descriptor, self._tell_of_death, descriptor, told)

    def _tell_of_death(self, descriptor: int, told: Callable[[], None]) -> None:
        self._watched.remove(descriptor)
        self._forget(descriptor)
        told()

    @staticmethod
    def _forget(descriptor: int) -> None:
        import asyncio

        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)

    def unobserved(self) -> None:
        """Nobody wants to see the output any more."""
        self._log.observe = None

    def listen(self, hear: Callable[[str], None]) -> None:
        """Let `hear` have each line of the output, in the thread that reads it."""
        self._log.tail.listen(hear)

    def last_lines(self) -> list[str]:
        """The last lines that the child and its descendants printed."""
        return self._log.tail.lines()


async def _until(done: Callable[[], bool], within: float) -> None:
    """Until `done`, or `within` seconds of looks are over: what stands still cannot end."""
    import asyncio

    for _ in range(round(within / _POLL)):
        if done():
            break
        await asyncio.sleep(_POLL)


def _not_started(program: str, reason: OSError | RuntimeError) -> SupervisorError:
    """Why, as an error. Only want of a thread is a RuntimeError."""
    number = reason.errno if isinstance(reason, OSError) else errno.EAGAIN
    words = _WANTING.get(number or 0)
    if words is None and not descriptors.lacking(reason):
        return SupervisorError(f"{program} could not be started: {os.strerror(number or 0)}")
    return OutOfResources(f"{program} could not be started: {words or os.strerror(number or 0)}")


def _end_first_for_memory(pid: int) -> None:
    """Let the kernel choose this process and its children where memory runs out, not us."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(_END_FIRST)
