"""What is printed past the log, by this process or one that inherits its output, put into it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from ..logs import LogSink
from ..logs.speaker import SUPERVISOR, Speaker
from .output import Output

_OUT, _ERR = 1, 2
_WITHIN = 1.0  # seconds: a process that is left may hold the pipe


@contextlib.contextmanager
def sink(*, as_json: bool) -> Iterator[LogSink]:
    """The log on standard output, whole when the block ends.

    Args:
        as_json: whether it is one of objects. Then what is printed on standard output and standard
            error in the block comes as objects too.
    """
    if not as_json:
        made = LogSink()
        try:
            yield made
        finally:
            made.flush(timeout=2.0)
        return
    out, err = os.dup(_OUT), os.dup(_ERR)
    made = LogSink(out, as_json=True)
    caught = Output(made, _nobody, Speaker(SUPERVISOR.source, made.signature))
    os.dup2(caught.write_fd, _OUT)
    os.dup2(caught.write_fd, _ERR)
    caught.spawned()
    try:
        yield made
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os.dup2(out, _OUT)
        os.dup2(err, _ERR)
        os.close(err)
        caught.join(_WITHIN)
        made.flush(timeout=2.0)


def _nobody(_printed: bytes) -> None:
    """Wants to know, so that no secret of it is handed on."""
