"""Ends process groups when the supervisor is gone, however it went.

A parent-death signal is not enough: it reaches the API server alone and leaves EngineCore behind
with the GPU's memory. This process holds the reading end of a pipe whose writing end only the
supervisor has. Lines `+PGID` and `-PGID` say which groups are alive; at the pipe's end every one
that is left gets SIGKILL.

Run as a file by a bare interpreter (`python -I -S`), so it imports nothing of ours.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    """Read standard input to its end, then kill what is left."""
    # What ends the supervisor (Ctrl-C, a stop of the container) must not end its guardian first.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
