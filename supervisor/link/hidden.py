"""Keeps what a process of ours holds from others of its user: the engine is one of them.

Its memory has the platform's keys, and /proc shows it, and the environment, to all of a user's.
"""

from __future__ import annotations

import contextlib
import resource

_PR_SET_DUMPABLE = 4  # <sys/prctl.h>
_PR_SET_NO_NEW_PRIVS = 38


def hide() -> None:
    """Let nobody without CAP_SYS_PTRACE read this process; call it before there is a thread.

    What it starts is open again. But that and its descendants gain no privileges (of a setuid
    program) and write no cores, in which keys and callers' texts would lie.
    """
    import ctypes  # costs 2 ms

    with contextlib.suppress(OSError, AttributeError):
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
