"""Reads files into the page cache by threads, none of which anybody has to wait for."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from . import mounts, pieces, room
from .pages import cached
from .pieces import Piece

_AT_ONCE = 1 << 20  # bytes of a reader's buffer, which stays in the CPU's cache
_KEPT = 0.5  # share of a piece: less has been dropped


class Reading:
    """One reading. Its threads fill it in, and whoever watches looks at it.

    Args:
        path: a model's folder, or a file of weights.
        load_format: as LOAD_FORMAT has it.
        version: vLLM's.
        beside: what is read after it: folders of adapters, of a draft model.

    Attributes:
        steps: grows with each thing that is done.
        done: bytes that are in the page cache.
        size: bytes that are to be there.
        whole: bytes of all the weights.
        kind: the type of the file system.
        why: why it ended early; empty where it did not.
        over: it has ended.
    """

    def __init__(
        self, path: str, load_format: str, version: str, beside: Sequence[str] = ()
    ) -> None:
        self.path = path
        self.steps = self.done = self.size = self.whole = self.readers = 0
        self.kind = self.why = ""
        self.over = threading.Event()
        self._load_format = load_format
        self._version = version
        self._beside = beside
        self._pieces: Iterator[Piece] = iter(())
        self._files: dict[str, int] = {}  # open ones, with their descriptors
        self._lock = threading.Lock()
        self._opening = threading.Lock()  # apart: who holds it may never give it back

    def start(self) -> None:
        """Begin, in threads: even a look at the folder may never return."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self, why: str) -> None:
        """End it, after what is being read just now."""
        with self._lock:
            self.why = self.why or why
            self._pieces = iter(())

    def _run(self) -> None:
        try:
            self._read_all()
        except OSError as fault:
            self._fault(fault)
        self.over.set()

    def _read_all(self) -> None:
        path = Path(os.path.realpath(self.path))
        self.kind = mounts.filesystem(Path(mounts.FILE).read_text(encoding="utf-8"), str(path))
        files = dict(self._found(path))
        for other in self._beside:
            with contextlib.suppress(OSError):  # the engine will say what is wrong with it
                files |= self._found(Path(os.path.realpath(other)))
        self._did()
        self.whole = sum(files.values())
        left = room.look()
        if mounts.is_in_memory(self.kind) or left is None:
            return
        todo = pieces.cut(files.items(), left.fits)
        self.size = sum(piece.length for piece in todo)
        if todo and self._keeps(todo[0]):
            self._share(todo)

    def _found(self, path: Path) -> Mapping[str, int]:
        """The files of weights with their sizes, in the order in which the engine loads them."""
        if not path.is_dir():
            found = path.stat()
            return {str(path): found.st_size} if stat.S_ISREG(found.st_mode) else {}
        sizes = {}
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_file():  # a pipe would be read for ever
                    sizes[entry.name] = entry.stat().st_size
        names = pieces.chosen(sizes, self._load_format, self._version)
        return {str(path / name): sizes[name] for name in names}

    def _keeps(self, first: Piece) -> bool:
        """Whether what was read of its begin is still there when its file is opened once more."""
        first = Piece(first.file, first.start, min(first.length, _AT_ONCE))
        self._read(first)
        self.done = 0
        again = _open(first.file)
        try:
            share = cached(again, first.start, first.length)
        finally:
            os.close(again)
        if share is None or share >= _KEPT:
            return True
        self.why = f"this file system ({self.kind}) drops what was read when a file is opened again"
        return False

    def _share(self, todo: Iterable[Piece]) -> None:
        with self._lock:
            if not self.why:
                self._pieces = iter(todo)
        self.readers = pieces.readers(self.kind)
        threads = [
            threading.Thread(target=self._take_turns, daemon=True) for _ in range(self.readers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _take_turns(self) -> None:
        try:
            while (piece := self._next()) is not None:
                self._read(piece)
        except OSError as fault:
            self._fault(fault)

    def _next(self) -> Piece | None:
        with self._lock:
            return next(self._pieces, None)

    def _read(self, piece: Piece) -> None:
        descriptor = self._descriptor(piece.file)
        if cached(descriptor, piece.start, piece.length) == 1.0:  # by the engine, or an earlier one
            self._did(piece.length)
            return
        buffer = bytearray(_AT_ONCE)
        at, end = piece.start, piece.start + piece.length
        while at < end and not self.why:
            read = os.preadv(descriptor, [memoryview(buffer)[: end - at]], at)
            if not read:
                return
            at += read
            self._did(read)

    def _descriptor(self, file: str) -> int:
        """Each file is opened once: some file systems drop its pages when it is opened again."""
        with self._opening:
            if file not in self._files:
                self._files[file] = _open(file)
            return self._files[file]

    def _did(self, read: int = 0) -> None:
        with self._lock:
            self.steps += 1
            self.done += read

    def _fault(self, fault: OSError) -> None:
        self.stop(f"{fault.filename or self.path}: {fault.strerror}")


def _open(file: str) -> int:
    """A descriptor of a regular file.

    Raises:
        OSError: it cannot be opened, or is none.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(0, "no regular file", file)
