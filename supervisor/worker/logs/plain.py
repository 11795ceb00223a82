"""What a process prints as text of the log: as it came, but for what is folded."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...secrets import masked_line
from .folds import Fold
from .sink import LogSink

_LINE_MOST = 64 * 1024  # bytes of a line that does not end
_HELD = 0.2  # seconds for which the beginning of a line waits for its end


class Plain:
    """Hands bytes on to the sink. Used by one thread.

    Args:
        sink: takes them.
        fold: knows what is counted instead of shown; None where nothing is.
        clock: gives seconds and never goes back.
    """

    def __init__(
        self,
        sink: LogSink,
        fold: Fold | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = sink
        self._started = Started(sink)
        self._fold = fold
        self._clock = clock
        self._rest = b""
        self._since = 0.0  # when the rest came
        self._begun = False  # the beginning of a line is out already
        self._masks = True

    def feed(self, data: bytes, *, masks: bool) -> None:
        """Take in what it printed, its signature taken out; `masks`: without secrets."""
        self._masks = masks
        if self._fold is None:
            self._hand_on(data)
            return
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        lines, self._rest = data[:end], data[end:]
        self._hand_on(self._folded(lines, self._fold))
        self._since = self._clock()
        # Bars of progress, which begin with a carriage return, have no end.
        if b"\r" in self._rest or len(self._rest) > _LINE_MOST or self._begun:
            self._let_go()

    @property
    def left(self) -> float | None:
        """Seconds until `look` has something to do, if nothing comes before; None for never."""
        told = None if self._fold is None else self._fold.left
        held = max(0.0, self._since + _HELD - self._clock()) if self._rest else None
        return min((each for each in (told, held) if each is not None), default=None)

    def look(self) -> None:
        """Hand over what has waited long enough."""
        if self._rest and self._clock() - self._since >= _HELD:
            self._let_go()
        if self._fold is not None:
            self._fold.tell()

    def end(self) -> None:
        """Nothing more will come."""
        self._let_go()
        self._started.flush()
        if self._fold is not None:
            self._fold.tell_rest()

    def _folded(self, data: bytes, fold: Fold) -> bytes:
        if not data:
            return data
        begun, self._begun = self._begun, False
        if not fold.may(data):
            return data
        first, *lines = (line + b"\n" for line in data.split(b"\n")[:-1])
        kept = [first] if begun or not fold.takes(first) else []
        return b"".join([*kept, *(line for line in lines if not fold.takes(line))])

    def _let_go(self) -> None:
        rest, self._rest = self._rest, b""
        if rest:
            self._begun = True
            self._hand_on(rest)

    def _hand_on(self, data: bytes) -> None:
        if not data:
            return
        if self._masks:
            self._started.write(data)
        else:
            self._started.flush()
            self._sink.write(data)


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
        if len(self._rest) > _LINE_MOST or data[:end].endswith(b"\r"):
            end, self._rest = len(data), b""
        self._pass_on(data[:end])

    def flush(self) -> None:
        """Hand over what waits: no more of its line will come."""
        rest, self._rest = self._rest, b""
        self._pass_on(rest)

    def _pass_on(self, data: bytes) -> None:
        if data:
            self._sink.write(masked_line(data, self._sink.secrets))
