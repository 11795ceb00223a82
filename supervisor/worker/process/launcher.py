"""Starts our children: each in a group of its own, guarded, its output in our log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..logs import LogSink
from .child import Child
from .guardian import Guardian
from .orphans import Orphans


class Launcher:
    """What every child of ours is started with."""

    def __init__(self, sink: LogSink) -> None:
        self.orphans = Orphans()
        self._sink = sink
        self._guardian = Guardian()
        self._children: list[Child] = []
        self.orphans.claim(self._guardian.pid)

    async def spawn(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        *,
        observe: Callable[[bytes], None] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Child:
        """Start `command`; see `Child.spawn`.

        Raises:
            SupervisorError: the system could not start it.
        """
        with self.orphans.birth():
            child = await Child.spawn(
                command,
                env,
                cwd,
                self._sink,
                self._guardian,
                observe=observe,
                pass_fds=pass_fds,
            )
            self.orphans.claim(child.pid)
        self._children.append(child)
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
