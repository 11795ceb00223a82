"""What a child and its descendants print: handed on, its last lines kept, its lines heard.

It is handed on without the signature of its own logger (see `diagnosis.voice`).
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

from ...secrets import masked_line
from ..logs import LogSink

_CHUNK = 64 * 1024  # bytes in one read, and of a line that does not end
_TAIL_LINES = 200  # enough to hold a traceback of vLLM with the lines that say why


class Output:
    """A pipe for a child's output: read by a thread, its tail kept, handed on.

    While it is observed no secret is handed on, and the signature never; everything else is as it
    came.

    Args:
        sink: where it is handed on to.
        observe: called with the bytes as they are handed on, by the reading thread.
        signature: stands before lines of the child's own logger; taken out of what is handed on.

    Raises:
        OSError: there was no descriptor for it.
        RuntimeError: there was no thread for it.
    """

    def __init__(
        self,
        sink: LogSink,
        observe: Callable[[bytes], None] | None = None,
        signature: str = "",
    ) -> None:
        self.tail = Tail(signature=signature)
        self._plain = Unsigned(signature.encode())
        #: Called with the bytes by the reading thread; None once nobody wants to know.
        self.observe = observe
        self._sink = sink
        self._read_fd, self.write_fd = os.pipe()
        self._started = Started(sink)
        self._thread = threading.Thread(target=self._read_all, name="log-reader", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            os.close(self._read_fd)
            os.close(self.write_fd)
            raise

    def spawned(self) -> None:
        """Close our copy of the child's end: the pipe ends with the last process that has it."""
        os.close(self.write_fd)

    def join(self, timeout: float) -> None:
        """Wait until the pipe has ended, so that the tail is whole; `timeout` seconds at most."""
        self._thread.join(timeout)

    def _read_all(self) -> None:
        while data := os.read(self._read_fd, _CHUNK):
            self.tail.feed(data)
            self._hand_on(self._plain.feed(data))
        self._hand_on(self._plain.rest())
        self._started.flush()
        os.close(self._read_fd)

    def _hand_on(self, data: bytes) -> None:
        if not data:
            return
        if (observe := self.observe) is not None:
            observe(data)
            self._started.write(data)
        else:
            self._started.flush()
            self._sink.write(data)


class Unsigned:
    """Takes a signature out of a stream of bytes, wherever that is cut."""

    def __init__(self, signature: bytes) -> None:
        self._signature = signature
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be handed on of it; the beginning of a signature at the end is held back."""
        if not self._signature:
            return data
        data = (self._held + data).replace(self._signature, b"")
        begins = (n for n in range(len(self._signature) - 1, 0, -1) if self._ends_with(data, n))
        held = next(begins, 0)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def rest(self) -> bytes:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, b""
        return held

    def _ends_with(self, data: bytes, length: int) -> bool:
        return data.endswith(self._signature[:length])


class Started:
    """What an engine says until it is ready, on its way to the log: without secrets.

    vLLM writes its arguments there, of which it masks two. A line waits until it is whole; but
    bars of progress, which begin with a carriage return and have no end.
    """

    def __init__(self, sink: LogSink) -> None:
        self._sink = sink
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Hand over bytes; a line may come in pieces."""
        data = self._rest + data
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        self._rest = data[end:]
        if len(self._rest) > _CHUNK or data[:end].endswith(b"\r"):
            end, self._rest = len(data), b""
        self._pass_on(data[:end])

    def flush(self) -> None:
        """Hand over what waits: no more of its line will come."""
        rest, self._rest = self._rest, b""
        self._pass_on(rest)

    def _pass_on(self, data: bytes) -> None:
        if data:
            self._sink.write(masked_line(data, self._sink.secrets))


class Tail:
    """The last lines of a stream of bytes; each line is heard by whoever listens."""

    def __init__(self, lines: int = _TAIL_LINES, signature: str = "") -> None:
        self._lines: deque[str] = deque(maxlen=lines)
        self._rest = b""
        self._signature = signature
        self._hear: Callable[[str], None] | None = None
        self._lock = threading.Lock()

    def feed(self, data: bytes) -> None:
        """Add bytes; a line may come in pieces."""
        *complete, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_CHUNK:]
        lines = [line.decode(errors="replace").rstrip("\r") for line in complete]
        with self._lock:
            self._lines.extend(lines)
            if self._hear is not None:
                for line in lines:
                    self._hear(line)

    def listen(self, hear: Callable[[str], None]) -> None:
        """Let `hear` have every line, from the last ones on, with its signature."""
        with self._lock:
            for line in self._lines:
                hear(line)
            self._hear = hear

    def lines(self) -> list[str]:
        """The last lines, oldest first, without signatures; the last one may be unfinished."""
        with self._lock:
            rest = [self._rest.decode(errors="replace")] if self._rest else []
            lines = [*self._lines, *rest]
        return [line.replace(self._signature, "") for line in lines] if self._signature else lines
