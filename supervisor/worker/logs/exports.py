"""What the engine's exporter of spans says of a collector that does not take them, folded.

OpenTelemetry's SDK says it with each try, and for some failures with a traceback. It says it past
vLLM's logger: a message stands there alone, without level and place, and without the signature that
lines of that logger have. So a line counts only where all of it is such a message. The collector is
the same one that our own spans go to, of which one line tells; so one line tells of these.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from .folds import without_colours

_AT_FIRST = 2.0  # seconds until what comes after a quiet time is told: its reason may come later
_WITHIN = 3600.0  # seconds between two lines after that
_TRACEBACK_MOST = 1000  # lines

_PROCESS = re.compile(rb"\([\w.-]{1,60} pid=\d{1,10}\) ?")
_SPANS = rb"(?:[Ss]pans?|traces)"
#: As SDKs from 1.20 to 1.45 say it, by HTTP and by gRPC.
_FAILED = re.compile(
    rb"Transient error (?P<why>.{1,2000}) encountered while exporting " + _SPANS + rb"(?: batch)?"
    rb"(?: to \S{1,500})?, retrying in [\d.]{1,10}s\.(?: Error details: .{0,2000})?"
    rb"|Failed to export (?:" + _SPANS + rb" )?batch code: (?P<code>\d{3}), reason: .{0,2000}"
    rb"|Failed to export " + _SPANS + rb" batch due to timeout, max retries or shutdown\."
    rb"|Failed to export " + _SPANS + rb" to \S{1,500}, error code: (?P<status>[\w.]{2,40})"
    rb"(?:, error details: .{0,2000})?"
    rb"|(?P<raised>Exception while exporting " + _SPANS + rb"(?: batch)?\.)"
    rb"|Queue (?:is )?full, (?:dropping " + _SPANS + rb"|likely spans/logs will be dropped)\."
    rb"|Shutdown in progress, aborting retry\."
)
_SIGNS = (b"xporting ", b"to export ", b"Queue ", b"aborting retry")

_FRAMES = b"Traceback (most recent call last):"
#: Stands between the tracebacks of one exception.
_BETWEEN = (b"During handling of the above", b"The above exception was", _FRAMES)
#: The line of an exception; uvicorn's lines begin with a level.
_RAISED = re.compile(rb"(?!(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):)(?:\w+\.)*[A-Z]\w+(?:: .*)?")

#: What of a reason is told. The rest of it can be anything.
_REASONS = re.compile(
    rb"\[Errno -?\d{1,5}\] ([A-Z][A-Za-z ]{2,60})|\[SSL: ([A-Z_]{3,60})\]"
    rb"|StatusCode\.([A-Z_]{2,30})|\b(timed out)\b"
    rb"|^([A-Z][A-Za-z]{1,20}(?: [A-Z][a-z]{1,20}){0,3})$"
)


class Exports:
    """Counts lines of the exporter. Used by one thread.

    Args:
        tell: gets each line that sums them up.
        url: where the spans go.
        clock: gives seconds.
    """

    def __init__(
        self, tell: Callable[[str], None], url: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._url = url
        self._clock = clock
        self._counted = 0
        self._reason = ""
        self._since = 0.0
        self._first = True  # of what is counted, after a quiet time
        self._last = float("-inf")
        self._tracebacks: dict[bytes, _Traceback] = {}  # that have begun, by process

    def may(self, data: bytes) -> bool:
        """Whether a line of it can be in `data`."""
        return bool(self._tracebacks) or any(sign in data for sign in _SIGNS)

    def takes(self, line: bytes) -> bool:
        """Whether `line` is one that is counted, and not to be shown."""
        if not self.may(line):
            return False
        line = without_colours(line).rstrip()
        found = _PROCESS.match(line)
        process, message = (found[0].rstrip(), line[found.end() :]) if found else (b"", line)
        traceback = self._tracebacks.get(process)
        if traceback is not None:
            if traceback.takes(message):
                self._reason = _said(traceback.error) or self._reason
                return True
            del self._tracebacks[process]
        failed = _FAILED.fullmatch(message)
        if failed is None:
            return False
        if failed["raised"]:
            self._tracebacks[process] = _Traceback()
        self._count(_reason(failed))
        return True

    @property
    def left(self) -> float | None:
        """Seconds until there is something to tell; None where there is nothing."""
        if not self._counted:
            return None
        within = _AT_FIRST if self._first else _WITHIN
        return max(0.0, self._since + within - self._clock())

    def tell(self) -> None:
        """Sum up what was counted, if its time has come."""
        if self.left == 0.0:
            self.tell_rest()

    def tell_rest(self) -> None:
        """Sum up what was counted."""
        if not self._counted:
            return
        why = f": {self._reason}" if self._reason else ""
        if self._first:
            words = f"the engine's spans do not reach {self._url}{why}"
            self._tell(f"{words}; what its exporter says of that is counted from now on")
        else:
            seconds = self._clock() - self._since
            words = f"the engine's spans did not reach {self._url} in the last {seconds:.0f} s{why}"
            lines = "line" if self._counted == 1 else "lines"
            self._tell(f"{words}; its exporter wrote {self._counted} {lines}")
        self._counted, self._first = 0, False

    def _count(self, reason: str) -> None:
        now = self._clock()
        if now - self._last > _WITHIN:
            self._first, self._reason = True, ""
        if not self._counted:
            self._since = now
        self._last = now
        self._counted += 1
        self._reason = reason or self._reason


class _Traceback:
    """Says of one line after the other whether it belongs to a traceback that is to come.

    Stricter than `tracebacks`: what does not belong to it must not be lost.

    Attributes:
        error: the line of its last exception.
    """

    def __init__(self) -> None:
        self.error = b""
        self._lines = 0
        self._in_frames = False

    def takes(self, line: bytes) -> bool:
        self._lines += 1
        if self._lines > _TRACEBACK_MOST or (self._lines == 1 and line != _FRAMES):
            return False
        if line.startswith(_BETWEEN):
            self._in_frames = line == _FRAMES
            return True
        if not self._in_frames:
            return not line
        if line[:1].isspace() or not line:
            return True
        self._in_frames = False
        if _RAISED.fullmatch(line) is None:
            return False
        self.error = line
        return True


def _reason(failed: re.Match[bytes]) -> str:
    if failed["code"]:
        return f"it answers {failed['code'].decode()}"
    return _said(failed["why"] or failed["status"] or b"")


def _said(error: bytes) -> str:
    found = _REASONS.search(error)
    return found[found.lastindex or 0].decode() if found else ""
