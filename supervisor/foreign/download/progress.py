"""What a download says of itself: lines for people, and one of JSON for the caller."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_EVERY = 5.0  # seconds between two lines


def line(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def say(found: Mapping[str, Any]) -> None:
    """The last line."""
    print(json.dumps(found), flush=True)


def amount(size: int) -> str:
    """Bytes, as people say it."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


class Progress:
    """Says how far the folder is, in lines."""

    def __init__(self, repository: str, folder: Path, total: int) -> None:
        self._repository, self._folder, self._total = repository, folder, total
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_reason: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        before, then = size_of(self._folder), time.monotonic()
        while not self._over.wait(_EVERY):
            size, now = size_of(self._folder), time.monotonic()
            share = min(100.0, 100.0 * size / self._total) if self._total else 100.0
            rate = (size - before) / (now - then) / 1e6
            line(f"{self._repository}: {share:.0f} % of {amount(self._total)}, {rate:.1f} MB/s")
            before, then = size, now


def size_of(folder: Path) -> int:
    """Bytes of the files under `folder`, in which files and folders may come and go meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):  # where `Path.rglob` fails at a folder that is gone
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(place, name).stat().st_size
    return total
