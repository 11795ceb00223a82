"""A machine that gives no more threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def no_threads() -> Iterator[None]:
    """Every start of a thread fails, as Python tells it."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with patch.object(threading.Thread, "start", start):
        yield
