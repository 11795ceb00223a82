"""Where the log goes. Nothing waits for a reader of it.

A thread carries the bytes; when nobody reads them, the oldest are dropped and counted.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections import deque

from ...link import log_lines
from ...secrets import masked
from ..page.recent import Recent

_WAITING_MOST = 8 * 1024 * 1024  # bytes kept for a reader that is slow
_UNREAD = "nobody read them"
_NEWLINE = ord("\n")


class LogSink:
    """Writes to one file descriptor from a thread of its own, so that no caller ever waits.

    Args:
        fd: is written to.
        as_json: whether the log is one of objects; its callers see to that.
    """

    def __init__(self, fd: int = 1, *, as_json: bool = False) -> None:
        #: Values of variables that no line of ours shows, nor what an engine says of its start.
        self.secrets: tuple[str, ...] = ()
        #: What was written last, for those who look on.
        self.recent = Recent(lambda: self.secrets)
        self.as_json = as_json
        #: Stands before the objects of processes of ours, and nobody else knows it.
        self.signature = f"~{os.urandom(8).hex()} " if as_json else ""
        self._fd = fd
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0  # bytes
        self._why = _UNREAD  # they were dropped
        self._cut = False  # what was written last ends within a line
        self._busy = False
        self._line_open = False
        self._changed = threading.Condition()
        threading.Thread(target=self._write_all, name="log-writer", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Hand over bytes to be written; returns at once."""
        with self._changed:
            self.recent.feed(data)
            self._line_open = not data.endswith(b"\n")
            self._waiting.append(data)
            self._size += len(data)
            while self._size > _WAITING_MOST and len(self._waiting) > 1:
                lost = self._waiting.popleft()
                self._size -= len(lost)
                self._dropped += len(lost)
            self._changed.notify_all()

    def write_line(self, text: str) -> None:
        """Hand over one line of ours; it begins a line even where the engine left one open."""
        before = b"\n" if self._line_open else b""
        self.write(before + text.encode(errors="backslashreplace") + b"\n")

    def masked(self, text: str) -> str:
        """`text` as a line of the log may have it."""
        return masked("", text, self.secrets)

    def flush(self, timeout: float) -> bool:
        """Wait until everything is written, `timeout` seconds at most; whether it is."""
        end = time.monotonic() + timeout
        with self._changed:
            while (self._waiting or self._busy) and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return not self._waiting and not self._busy

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._waiting:
                    self._changed.wait()
                data = b"".join(self._waiting)
                dropped, self._dropped = self._dropped, 0
                self._waiting.clear()
                self._size = 0
                self._busy = True
            told = self._of_dropped(dropped) if dropped else b""
            unwritten = self._write(told + data)
            with self._changed:
                is_told = unwritten <= len(data)
                self._dropped += unwritten if is_told else dropped + len(data)

    def _of_dropped(self, size: int) -> bytes:
        words = f"{size} bytes of this log were dropped: {self._why}"
        self._why = _UNREAD
        said = {"levelname": "WARNING", "name": "supervisor", "msg": words}
        lines = log_lines.Lines(as_json=self.as_json)
        line = lines.format(logging.makeLogRecord(said)) + "\n"
        return ("\n" * self._cut + line).encode()

    def _write(self, data: bytes) -> int:
        """Write it, however long that takes; how many bytes had to be given up."""
        view = memoryview(data)
        try:
            while view:
                try:
                    written = os.write(self._fd, view)
                except BlockingIOError:  # who made it does not wait for us; we wait for them
                    self._until_writable()
                    continue
                self._cut = view[written - 1] != _NEWLINE
                view = view[written:]
        except OSError as reason:
            # The reader is gone or the disk is full: supervision goes on without a log.
            self._why = reason.strerror or type(reason).__name__
        return len(view)

    def _until_writable(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.poll()


class SinkHandler(logging.Handler):
    """Our own log lines, through the same sink, so that they stand in order and never wait."""

    def __init__(self, sink: LogSink) -> None:
        super().__init__()
        self._sink = sink
        self.setFormatter(log_lines.Lines(as_json=sink.as_json, mask=sink.masked))

    def emit(self, record: logging.LogRecord) -> None:
        """Format and hand over one line."""
        self._sink.write_line(self.format(record))
