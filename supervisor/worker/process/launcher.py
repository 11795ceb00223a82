"""Starts our children: each in a group of its own, guarded, its output in our log."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..logs import LogSink
from ..logs.speaker import SUPERVISOR, Speaker
from .child import Child
from .guardian import Guardian
from .orphans import Orphans

if TYPE_CHECKING:  # the first engine does not wait for it
    import asyncio


class Launcher:
    """What every child of ours is started with; `sink` takes what they print."""

    def __init__(self, sink: LogSink) -> None:
        self.orphans = Orphans()
        self.sink = sink
        self._guardian = Guardian()
        self._children: list[Child] = []
        self._asides: set[asyncio.Task[None]] = set()
        self._leaving: dict[Child, asyncio.Task[None]] = {}
        self.orphans.claim(self._guardian.pid)

    def spawn(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        *,
        observe: Callable[[bytes], None] | None = None,
        pass_fds: Sequence[int] = (),
        speaker: Speaker = SUPERVISOR,
    ) -> Child:
        """Start `command`; see `Child.spawn`.

        Raises:
            SupervisorError: the system could not start it.
        """
        child = self._spawn(command, env, cwd, observe=observe, pass_fds=pass_fds, speaker=speaker)
        self._children.append(child)
        return child

    def spawn_aside(
        self, command: Sequence[str], env: Mapping[str, str], cwd: str, speaker: Speaker
    ) -> Child:
        """As `spawn`, for one that no stop waits for, and whose end nobody has to see. In a loop.

        A process that hangs in a read of a volume may outlive SIGKILL.

        Raises:
            SupervisorError: the system could not.
        """
        child = self._spawn(command, env, cwd, speaker=speaker)
        self._leaving[child] = self._see_off(self._until_gone(child))
        return child

    async def seen_off(self, child: Child) -> None:
        """Until one that was spawned aside is gone with its group, and all that it said is read."""
        import asyncio

        if (leaving := self._leaving.get(child)) is not None:
            await asyncio.shield(leaving)

    async def ask(
        self, command: Sequence[str], env: Mapping[str, str], cwd: str, given: bytes
    ) -> bytes:
        """What `command` prints, `given` on its standard input; nothing if it cannot be started.

        No stop waits for it either: it is killed when nobody waits for the answer any more.
        """
        import asyncio

        with self.orphans.birth():
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    env=dict(env),
                    cwd=cwd,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    process_group=0,
                )
            except (OSError, RuntimeError):  # or no thread to wait for it
                return b""
            self.orphans.claim(process.pid)
        self._guardian.add(process.pid)
        try:
            return (await process.communicate(given))[0]
        finally:
            # Kills it, and closes its pipes while the loop still runs: nobody else does in time
            # where the worker ends now. asyncio offers no other way to them.
            process._transport.close()  # type: ignore[attr-defined]
            self._see_off(self._until_reaped(process))

    async def _until_reaped(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self._guardian.remove(process.pid)
        self.orphans.release(process.pid)

    def _see_off(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        import asyncio

        self._asides.add(task := asyncio.create_task(work))
        task.add_done_callback(self._asides.discard)
        return task

    async def _until_gone(self, child: Child) -> None:
        await child.wait()
        self._leaving.pop(child, None)
        if child.gone:  # else it stays ours, so that nobody waits for it as for an orphan
            self.orphans.release(child.pid)

    def _spawn(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        *,
        observe: Callable[[bytes], None] | None = None,
        pass_fds: Sequence[int] = (),
        speaker: Speaker = SUPERVISOR,
    ) -> Child:
        with self.orphans.birth():
            child = Child.spawn(
                command,
                env,
                cwd,
                self.sink,
                self._guardian,
                observe=observe,
                pass_fds=pass_fds,
                speaker=speaker,
            )
            self.orphans.claim(child.pid)
        return child

    def release(self, child: Child) -> None:
        """It has been waited for: nobody else will, and its number may be used again."""
        if child in self._children:
            self._children.remove(child)
        self.orphans.release(child.pid)

    @property
    def children(self) -> tuple[Child, ...]:
        """Those that have not been released."""
        return tuple(self._children)

    def close(self) -> None:
        """End the guardian, and by it whatever is left."""
        self._guardian.close()
