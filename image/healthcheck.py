"""The image's health check: 0 if `/ping` says that the worker is ready.

Run every ten seconds, so it imports next to nothing: it reads two variables by itself, as the
worker does (`Settings.control_url`).
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping

PORT = 8001
LOOPBACK = "127.0.0.1"


def main() -> int:
    """Ask; 1 and a sentence for anything but 200."""
    try:
        host, port = address(os.environ)
    except ValueError:
        print(f"PORT_HEALTH={os.environ['PORT_HEALTH'][:100]} is not a port number")
        return 1
    connection = http.client.HTTPConnection(host, port, timeout=4)
    try:
        connection.request("GET", "/ping")
        status = connection.getresponse().status
    except OSError as reason:
        print(f"nobody answers on port {port}: {reason.strerror or reason}")
        return 1
    except http.client.HTTPException as reason:
        print(f"what answers on port {port} is no worker: {reason!r}"[:200])
        return 1
    print(f"/ping says {status}")
    return 0 if status == http.client.OK else 1


def address(env: Mapping[str, str]) -> tuple[str, int]:
    """Host and port; the control port listens on loopback whatever CONTROL_HOST says.

    Raises:
        ValueError: PORT_HEALTH is no port; the worker does not start with it.
    """
    host = _said(env, "CONTROL_HOST")
    port = int(_said(env, "PORT_HEALTH") or PORT)
    if not 1 <= port <= 65535:
        raise ValueError(port)
    return host if host.startswith("127.") or host == "::1" else LOOPBACK, port


def _said(env: Mapping[str, str], name: str) -> str:
    """Without the quotes that `docker --env-file` keeps; empty for None, which is not set."""
    text = env.get(name, "").strip()
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1].strip()
    return "" if text.lower() == "none" else text


if __name__ == "__main__":
    sys.exit(main())
