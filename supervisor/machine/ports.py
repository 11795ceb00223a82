"""Whether a port is free, and who has it. vLLM binds with SO_REUSEPORT and would not notice."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

from ..errors import OutOfResources

_ESTABLISHED = "01"  # in the kernel's tables
_UNKNOWN = "another process"
#: No descriptor is left, or no memory in the kernel: that says nothing of the port.
_WANTING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on `port` at `host`, and somebody could.

    Raises:
        OutOfResources: no socket is left to try it with.
    """
    try:
        with _probe(host) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except PermissionError:
        return True  # see `is_allowed`
    except OSError:
        return False
    return True


def is_allowed(host: str, port: int) -> bool:
    """Whether this user may listen on `port`: in most places those below 1024 need a right.

    Raises:
        OutOfResources: no socket is left to try it with.
    """
    try:
        with _probe(host) as probe:
            probe.bind((host, port))
    except PermissionError:
        return False
    except OSError:
        pass  # taken, or no address of this machine
    return True


def _probe(host: str) -> socket.socket:
    """A socket of the family of `host`.

    Raises:
        OSError: the kernel has not that family, as one without IPv6.
        OutOfResources: none is left.
    """
    try:
        return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as reason:
        if reason.errno not in _WANTING:
            raise
        why = os.strerror(reason.errno or 0)
        raise OutOfResources(f"no socket is left to try {host} with: {why}") from reason


def not_allowed(port: int) -> str:
    """A sentence about a port to which this user has no right."""
    return f"port {port} may not be listened on by this user (uid {os.getuid()})"


def is_ours(host: str) -> bool:
    """Whether `host` is an address of this machine, on which somebody can listen.

    Raises:
        OutOfResources: no socket is left to try it with.
    """
    return is_free(host, 0)


def connections(port: int) -> int:
    """How many connections somebody has to what listens on `port` here."""
    count = 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
            count += sum(
                local.endswith(f":{port:04X}") and state == _ESTABLISHED
                for _, local, _, state, *_ in map(str.split, lines)
            )
    return count


def owner(port: int) -> str:
    """Who listens on `port`: `process NAME (pid N)`, or `another process` where nobody can tell."""
    try:
        import psutil
    except ImportError:  # the command line alone is installed, without dependencies
        return _UNKNOWN
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            if connection.laddr.port == port and connection.pid is not None:
                name = psutil.Process(connection.pid).name()
                return f"process {name} (pid {connection.pid})"
    return _UNKNOWN
