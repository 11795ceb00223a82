"""`python -m supervisor` as `tests.quick` starts it, whose name server is a file.

`python -m tests.named FILE SECONDS`: every name leads to the address in FILE. While FILE is empty
the name server is silent; a number behind the address is how many seconds it takes, and `?` says
that it knows no name.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import time
from pathlib import Path
from typing import Any

from supervisor.__main__ import main
from supervisor.worker.cluster import timing
from tests import quick

#: Seconds for a connection: the name server of a test is slower than that.
CONNECT = 1.0

_looked_up = socket.getaddrinfo


def _look_up(told: Path, host: Any, *rest: Any, **named: Any) -> Any:
    """`socket.getaddrinfo` by this file."""
    text = host.decode() if isinstance(host, bytes) else host or "::"
    try:
        ipaddress.ip_address(text)
    except ValueError:
        while not (words := told.read_text().split()):
            time.sleep(0.1)
        if words == ["?"]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        host, seconds = (*words, "0")[:2]
        time.sleep(float(seconds))
    return _looked_up(host, *rest, **named)


if __name__ == "__main__":
    file = Path(sys.argv.pop(1))
    socket.getaddrinfo = lambda *given, **named: _look_up(file, *given, **named)
    quick.hurry(float(sys.argv.pop(1)))
    timing.CONNECT = CONNECT
    sys.exit(main(sys.argv[1:]))
