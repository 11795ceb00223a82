"""Numbered steps with their time: a live line on a terminal, plain lines anywhere else."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

LIVE_INTERVAL = 0.25  # seconds; fast enough to look alive
PLAIN_INTERVAL = 10.0  # seconds; a CI log is to show that it goes on, and no more


class Progress:
    """Steps numbered up to `total`, written to `stream`."""

    def __init__(
        self,
        total: int,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        interval: float | None = None,
    ) -> None:
        self._total = total
        self._number = 0
        self._stream = stream or sys.stderr
        self._clock = clock
        self._live = self._stream.isatty()
        self._interval = interval or (LIVE_INTERVAL if self._live else PLAIN_INTERVAL)
        self._detail = ""

    def say(self, line: str) -> None:
        """Write one line of its own."""
        self._clear()
        self._write(line + "\n")

    def note(self, detail: str) -> None:
        """Set what the running step shows behind its time."""
        self._detail = detail

    def skip(self, steps: int) -> None:
        """Count `steps` less: another run has done them."""
        self._total -= steps

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show `title` while the body runs, then how long it took."""
        self._number += 1
        self._detail = ""
        head = f"[{self._number}/{self._total}]"
        started = self._clock()
        if not self._live:
            self._write(f"{head} {title} ...\n")
        ended = threading.Event()
        ticker = threading.Thread(
            target=self._tick, args=(ended, f"{head} {title}", started), daemon=True
        )
        ticker.start()
        outcome = "failed after"
        try:
            yield
            outcome = "done in"
        except KeyboardInterrupt:
            outcome = "interrupted after"
            raise
        finally:
            ended.set()
            ticker.join()
            self._clear()
            shown = f"{head} {title}:" if self._live else head
            self._write(f"{shown} {outcome} {span(self._clock() - started)}\n")

    def _tick(self, ended: threading.Event, title: str, started: float) -> None:
        while not ended.wait(self._interval):
            self._show(title, span(self._clock() - started))

    def _show(self, title: str, elapsed: str) -> None:
        detail = f", {self._detail}" if self._detail else ""
        if self._live:
            room = shutil.get_terminal_size().columns - 1
            tail = f" ... {elapsed}{detail}"
            self._write("\r\x1b[K" + (title[: max(room - len(tail), 20)] + tail)[:room])
        else:
            self._write(f"    {elapsed}{detail}\n")

    def _clear(self) -> None:
        if self._live:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def span(seconds: float) -> str:
    """Write a duration for people: `7 s`, `1 min 05 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"
