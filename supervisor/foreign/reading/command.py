"""`python -I -S .../foreign/reading PATH LOAD_FORMAT VERSION [PATH ...]`: read, and say what came.

It prints one line, or none where there was nothing to do.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence

from . import mounts, room
from .threads import Reading

_LOOK_EVERY = 0.25  # seconds
_SILENT_FOR = 120  # looks, 30 s: they are counted, for a machine that stood still has not waited
_MEMORY_EVERY = 4  # looks
_NICE = 10  # the engine's imports come first


def main(arguments: Sequence[str]) -> int:
    """Read ahead; the exit code is 0 whatever came of it, for nothing depends on it."""
    path, load_format, version, *beside = arguments
    os.nice(_NICE)
    began = time.monotonic()
    reading = Reading(path, load_format, version, beside)
    reading.start()
    watch(reading)
    if line := said(reading, time.monotonic() - began):
        sys.stdout.write(f"read ahead: {line}\n")
        sys.stdout.flush()
    os._exit(0)  # without a wait for threads that hang


def watch(
    reading: Reading,
    memory: Callable[[], room.Room | None] = room.look,
    *,
    every: float = _LOOK_EVERY,
    silent_for: int = _SILENT_FOR,
) -> None:
    """Until it is over, memory gets short, or nothing has come for long.

    Args:
        reading: one that was started.
        memory: says what is left.
        every: seconds between two looks.
        silent_for: looks without anything new, after which it is given up.
    """
    looks = silent = steps = 0
    while not reading.over.wait(every):
        looks += 1
        silent = silent + 1 if reading.steps == steps else 0
        steps = reading.steps
        if silent >= silent_for:
            reading.stop(f"nothing came for {silent_for * every:.0f} s")
            return
        if looks % _MEMORY_EVERY == 0 and (left := memory()) is not None and left.short:
            reading.stop(f"only {left.free / 1e9:.1f} GB of memory is left")


def said(reading: Reading, seconds: float) -> str:
    """What came of it, in one line; empty where there was nothing to read.

    Args:
        reading: one that has ended.
        seconds: that it took.
    """
    done, whole = f"{reading.done / 1e9:.2f}", f"{reading.whole / 1e9:.2f} GB of {reading.path}"
    if reading.why:
        how_far = f"{done} of {whole}" if reading.whole else f"a look at {reading.path}"
        return f"stopped after {how_far}: {reading.why}; the engine reads the rest itself"
    if not reading.size:
        nothing_to_do = not reading.whole or mounts.is_in_memory(reading.kind)
        return "" if nothing_to_do else f"no memory is left for {whole}"
    by = f"in {seconds:.1f} s ({reading.kind}, {reading.readers} at once)"
    more = "" if reading.size == reading.whole else "; there is no memory for the rest"
    return f"{done} of {whole} {by}{more}"
