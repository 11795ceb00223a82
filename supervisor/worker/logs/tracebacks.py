"""Lines that belong together: a traceback, whatever prints it. Pure."""

from __future__ import annotations

_HEADER = "Traceback (most recent call last):"
#: What stands between the tracebacks of one exception.
_GROUP = "+ Exception Group " + _HEADER  # all lines of it are indented
_BETWEEN = ("During handling of the above", "The above exception was", _HEADER)


class Traceback:
    """Says of one line after the other whether it belongs to the traceback before it."""

    def __init__(self) -> None:
        self._within = False
        self._ended = False  # the line of the exception has come, though a cause may follow

    @property
    def unfinished(self) -> bool:
        """Whether the line of the exception is still to come."""
        return self._within and not self._ended

    def takes(self, line: str) -> bool:
        """Whether `line` belongs to the one that has begun, or begins one."""
        if line.startswith(_HEADER) or line.lstrip().startswith(_GROUP):
            self._within, self._ended = True, False
        elif not self._within:
            return False
        elif line.startswith(_BETWEEN):
            self._ended = False
        elif line[:1].isspace() or not line:
            pass
        elif self._ended:
            self._within = False
        else:
            self._ended = True
        return self._within
