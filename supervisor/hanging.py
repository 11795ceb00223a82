"""Looks at files that may never come to an end: where a volume hangs, whoever asks it hangs too.

A disk of this machine is looked at right away, anything else by a copy of this process, for which
nobody waits longer than some seconds: it may outlive SIGKILL, and is left behind then.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, NoReturn, TypeVar, cast

from .foreign.reading import mounts

WITHIN = 15.0  # seconds: a volume that is only slow, or is mounted with the first look, answers
_LINKS_MOST = 40  # as the kernel has it
_CHUNK = 1 << 16

T = TypeVar("T")
#: Of the volumes of each look that never ended, one hangs at least.
_hung: set[frozenset[str]] = set()
_left: set[int] = set()


class HangsError(Exception):
    """What is on a volume cannot be seen: mostly because it does not answer.

    Attributes:
        places: where it is mounted; several: one of these.
    """

    def __init__(self, places: Iterable[str], why: str = "does not answer") -> None:
        self.places = tuple(sorted(places))
        one, *more = self.places
        which = (
            f"one of the volumes at {', '.join(self.places)}" if more else f"the volume at {one}"
        )
        super().__init__(f"{which} {why}")


def left_behind() -> frozenset[int]:
    """Processes of ours that hang: nobody is to wait for their end."""
    return frozenset(_left)


def look(how: Callable[[], T], at: Iterable[str | Path], within: float = WITHIN) -> T:
    """What `how` returns or raises.

    Args:
        how: looks, and changes nothing in this process.
        at: the paths at which it begins.
        within: seconds.

    Raises:
        HangsError: a volume on the way to one of them did not answer, now or earlier; or nothing
            is left to ask it with.
    """
    if not (places := _volumes(at)):
        return how()
    copy = _Copy(how, places)
    try:
        copy.wait(within)
        return copy.answer()
    finally:
        copy.end()


async def look_beside(how: Callable[[], T], at: Iterable[str | Path], within: float = WITHIN) -> T:
    """As `look`, while the event loop goes on."""
    import asyncio  # after the first looks, beside which the engine is asked for its version

    if not (places := _volumes(at)):
        return how()
    copy = _Copy(how, places)
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(copy.pipe, lambda: over.set() if copy.read() else None)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), within)
        return copy.answer()
    finally:
        loop.remove_reader(copy.pipe)
        copy.end()


class _Copy(Generic[T]):
    """A copy of this process that looks, and writes what it found into a pipe."""

    def __init__(self, how: Callable[[], T], places: frozenset[str]) -> None:
        self._places = places
        self._said = b""
        self._over = False
        self.pipe, write, self._pid = _forked(places)
        if not self._pid:
            _tell(how, write)
        os.close(write)
        _left.add(self._pid)

    def wait(self, within: float) -> None:
        """Until it has ended, `within` seconds at most."""
        end, poll = time.monotonic() + within, select.poll()
        poll.register(self.pipe, select.POLLIN)
        while not self._over and (left := end - time.monotonic()) > 0:
            if poll.poll(left * 1000):
                self.read()

    def read(self) -> bool:
        """Take what there is; whether that was all."""
        data = os.read(self.pipe, _CHUNK)
        self._said += data
        self._over = not data
        return self._over

    def answer(self) -> T:
        """What it found. Raises HangsError, or what the look raised."""
        import pickle

        if not self._over or not self._said:
            _hung.add(self._places)
            raise HangsError(self._places)
        fault, found = pickle.loads(self._said)  # noqa: S301 - of our own copy
        if fault is not None:
            raise fault
        return cast("T", found)

    def end(self) -> None:
        """It is needed no more."""
        os.close(self.pipe)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(self._pid, 0 if self._over else os.WNOHANG)[0] == 0:
                return
        _left.discard(self._pid)


def _forked(places: frozenset[str]) -> tuple[int, int, int]:
    """Both ends of a pipe, and the number of a copy of this process; 0 in the copy.

    Raises:
        HangsError: there is no descriptor, process or memory left.
    """
    ends: tuple[int, ...] = ()
    try:
        ends = read, write = os.pipe()
        return read, write, os.fork()
    except OSError as reason:
        for end in ends:
            os.close(end)
        why = f"cannot be seen: nothing is left to look with ({reason.strerror})"
        raise HangsError(places, why) from None


def _tell(how: Callable[[], object], pipe: int) -> NoReturn:
    """In the copy: look, tell, and end without anything that this process does at its own end."""
    import pickle

    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):  # whoever reads the log is not to wait for its end
            os.dup2(nothing, standard)
        for each in os.listdir("/proc/self/fd"):  # noqa: PTH208
            if int(each) not in {0, 1, 2, pipe}:
                with contextlib.suppress(OSError):
                    os.close(int(each))
        try:
            said = pickle.dumps((None, how()))
        except Exception as fault:  # noqa: BLE001 - it is raised again, by who asked
            said = pickle.dumps((fault, None))
        with os.fdopen(pipe, "wb") as file:
            file.write(said)
        code = 0
    finally:
        os._exit(code)


def _volumes(paths: Iterable[str | Path]) -> frozenset[str]:
    """The first volume on the way to each of these.

    Where a look at several does not end, nobody knows which of them hangs: a later one at the same
    and more is refused, and one at some of them is tried.

    Raises:
        HangsError: such a look did not end before.
    """
    with contextlib.suppress(OSError, ValueError):
        volumes = mounts.remote(Path(mounts.FILE).read_text(encoding="utf-8"))
        found = (_on_the_way(path, volumes) for path in paths if volumes)
        places = frozenset(place for place in found if place is not None)
        for hung in sorted(_hung, key=len):
            if hung <= places:
                raise HangsError(hung)
        return places
    return frozenset()


def volume(path: str | Path) -> str | None:
    """Where the first volume on the way to `path` is mounted; None where there is none."""
    with contextlib.suppress(OSError, ValueError):
        volumes = mounts.remote(Path(mounts.FILE).read_text(encoding="utf-8"))
        return _on_the_way(path, volumes)
    return None


def _on_the_way(path: str | Path, volumes: frozenset[str]) -> str | None:
    """The volume that a walk along `path` comes to, without a step onto it."""
    here, links = "", 0
    parts = os.fspath(path).split("/")[::-1]
    while parts:
        part = parts.pop()
        if part in {"", "."}:
            continue
        here = here.rpartition("/")[0] if part == ".." else f"{here}/{part}"
        if here in volumes:
            return here
        try:
            to = str(Path(here).readlink())
        except OSError:  # no link, or nothing there
            continue
        links += 1
        if links > _LINKS_MOST:
            return None
        here = "" if to.startswith("/") else here.rpartition("/")[0]
        parts += to.split("/")[::-1]
    return None
