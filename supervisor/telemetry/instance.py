"""Which of several workers says it: one name in all of its processes, kept over restarts."""

from __future__ import annotations

import functools
import socket
from collections.abc import Mapping

from ..link import handover

_ANYBODY = {"", "localhost", "(none)"}  # the names of hosts that have none of their own


def instance(env: Mapping[str, str], host: str | None = None) -> str:
    """The platform's id of this worker, else the name of its host, else an id of this process.

    Args:
        env: the worker's environment, or what its proxy was handed.
        host: the name of the host; None: that of this one.
    """
    for name in (handover.INSTANCE, "RUNPOD_POD_ID"):
        if given := env.get(name, "").strip():
            return given
    host = (socket.gethostname() if host is None else host).strip()
    return _own() if host.partition(".")[0].lower() in _ANYBODY else host


@functools.cache
def _own() -> str:
    from uuid import uuid4  # few workers are on such a host

    return str(uuid4())
