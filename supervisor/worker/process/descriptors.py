"""How many files this process may have open, and what it does not leave to others.

A process that has none left can neither ask an engine for its health nor start another one.
"""

from __future__ import annotations

import contextlib
import errno
import resource

from ...errors import MachineRefused

#: The soft limit at a start, where the hard one allows it. It is what vLLM raises its own to; more
#: costs programs that close every number which they could have inherited.
RAISED_TO = 65_536
#: For the pipes of children, probes of the engine, descriptors of its processes and a restart.
RESERVED = 256
_LEAST = 64  # with fewer no engine runs, and nothing could say why
_FEWEST = 16  # for others, however low the limit is
_WANTING = frozenset({errno.EMFILE, errno.ENFILE})  # this process has none left; the machine has


def raise_limit() -> None:
    """Raise the soft limit of this process and of what it starts, to RAISED_TO at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = RAISED_TO if hard == resource.RLIM_INFINITY else min(RAISED_TO, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def check() -> None:
    """Refuse a limit with which nothing could be started.

    Raises:
        MachineRefused: so low is the limit of this process.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _LEAST:
        raise MachineRefused(
            f"this process may have only {soft} files open; at least {_LEAST} are required: raise"
            " the limit (`docker run --ulimit nofile=65536`)"
        )


def spared(most: int) -> int:
    """How many descriptors strangers may take, `most` at most: the reserve is not theirs."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    return max(_FEWEST, min(most, soft - RESERVED))


def lacking(fault: BaseException | None) -> bool:
    """Whether `fault`, or what it came from, is that no descriptor was left."""
    while fault is not None:
        if isinstance(fault, OSError) and fault.errno in _WANTING:
            return True
        fault = fault.__cause__ or fault.__context__
    return False
