"""The engine's access log, folded: an answer that went well is counted instead of shown.

uvicorn writes a line for each request and each probe. What an operator wants of these is how many
there were, and each one that failed: so answers of 400 and above stay as they are, until there are
very many of one status. The line that tells of the rest comes soon after a quiet time, and then
once a minute.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable

from .folds import without_colours

_AT_FIRST = 5.0  # seconds until what comes after a quiet time is told
_WITHIN = 60.0  # seconds between two lines after that
_PROBES_WITHIN = 3600.0  # the same, where nothing came but probes
_FAILED_SHOWN = 10  # lines of one status in that time
_FAILS = 400  # from this status on
_KNOWN_MOST = 100  # kinds of answers that are counted apart
_TOLD_MOST = 8  # of which so many are told
_PATH_MOST = 80  # characters of a path

#: `(APIServer pid=7) INFO:     127.0.0.1:1 - "GET /health HTTP/1.1" 200 OK`. The path is a caller's
#: and may hold quotes, but no blank: the last status counts.
_ACCESS = re.compile(
    rb"(?:\([\w.-]{1,60} pid=\d{1,10}\) )?INFO: {1,9}[\x21-\x7e]{0,80} - "
    rb'"([A-Z]{1,16}) ([\x21-\x7e]+) HTTP/\d(?:\.\d)?" (\d{3})(?: [A-Za-z\' -]{0,60})?\s*'
)
#: What asks whether the engine is well, and how it is.
_PROBES = frozenset(f"GET {path}" for path in ("/health", "/ping", "/metrics", "/load"))


class Access:
    """Counts lines of the access log. Used by one thread.

    Args:
        tell: gets each line that sums them up.
        clock: gives seconds.
    """

    def __init__(
        self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._counted: Counter[tuple[str, int]] = Counter()
        self._shown: Counter[int] = Counter()  # lines of answers that failed, by status
        self._since = 0.0
        self._within = _AT_FIRST
        self._told = float("-inf")

    def may(self, data: bytes) -> bool:
        """Whether a line of it can be in `data`."""
        return b" HTTP/" in data

    def takes(self, line: bytes) -> bool:
        """Whether `line` is one that is counted, and not to be shown."""
        if not self.may(line):
            return False
        found = _ACCESS.fullmatch(without_colours(line))
        if found is None:
            return False
        status = int(found[3])
        self._begin()
        if status >= _FAILS and self._shown[status] < _FAILED_SHOWN:
            self._shown[status] += 1
            return False
        path = found[2].partition(b"?")[0].decode()
        asked = f"{found[1].decode()} {path[:_PATH_MOST]}"
        kind = (asked, status)
        if kind not in self._counted and len(self._counted) >= _KNOWN_MOST:
            kind = ("others", status)
        self._counted[kind] += 1
        return True

    @property
    def left(self) -> float | None:
        """Seconds until there is something to tell; None where there is nothing."""
        if not self._counted and not self._shown:
            return None
        only_probes = not self._shown and all(asked in _PROBES for asked, _ in self._counted)
        within = _PROBES_WITHIN if only_probes else self._within
        return max(0.0, self._since + within - self._clock())

    def tell(self) -> None:
        """Sum up what was counted, if its time has come."""
        if self.left == 0.0:
            self.tell_rest()

    def tell_rest(self) -> None:
        """Sum up what was counted."""
        counted, self._counted = self._counted, Counter()
        self._shown.clear()
        self._told = self._clock()
        if counted:
            self._tell(_words(counted, self._told - self._since))

    def _begin(self) -> None:
        if not self._counted and not self._shown:
            self._since = self._clock()
            quiet = self._since - self._told > _WITHIN
            self._within = _AT_FIRST if quiet else _WITHIN


def _words(counted: Counter[tuple[str, int]], seconds: float) -> str:
    number = counted.total()
    most = counted.most_common(_TOLD_MOST)
    parts = [f"{count} {asked} {status}" for (asked, status), count in most]
    if rest := number - sum(count for _, count in most):
        parts.append(f"{rest} others")
    requests = "request" if number == 1 else "requests"
    return f"the engine answered {number} {requests} in {seconds:.0f} s: {', '.join(parts)}"
