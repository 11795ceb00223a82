"""Whether a port is free, and who has it. vLLM binds with SO_REUSEPORT and would not notice."""

from __future__ import annotations

import contextlib
import socket


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on `port` at `host`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except PermissionError:
            return True  # a low port without the right to it: the engine will say so itself
        except OSError:
            return False
    return True


def owner(port: int) -> str:
    """Who listens on `port`: `process NAME (pid N)`, or `another process` if that is hidden."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            if connection.laddr.port == port and connection.pid is not None:
                name = psutil.Process(connection.pid).name()
                return f"process {name} (pid {connection.pid})"
    return "another process"
