"""An answer in one piece as the JSON that goes to the platform.

To parse a large one and to write it again takes half a second, in which no other stream of this
process would move: Python's parser holds the interpreter all the while. So a child does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from proxy.errors import AnswerNotUnderstood, JobError
from proxy.stream import finite, native
from proxy.stream.__main__ import NOT_UNDERSTOOD
from proxy.stream.native import Encoded

#: Bytes. Up to here it takes 10 ms, and 30 ms where the answer is nothing but brackets: less than
#: a child takes to start.
IN_PROCESS = 200_000
_AT_ONCE = 2  # children: each takes a core, and up to twenty times the memory of its answer

_ROOT = Path(__file__).parents[2]
#: Nothing of ours that a child needs is outside the standard library, so it starts in 40 ms.
_CHILD = (sys.executable, "-E", "-S", "-m", "proxy.stream")


class Answers:
    """Makes of the engine's answers what goes to the platform; inside one event loop."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def native(self, raw: bytes) -> Encoded:
        """An answer in the native form.

        Raises:
            AnswerNotUnderstood: it is no JSON object with choices.
            JobError: the child was killed.
        """
        if len(raw) <= IN_PROCESS:
            return native.encoded(raw)
        tokens, _, text = (await self._by_a_child("native", raw)).partition(b"\n")
        return Encoded(text, int(tokens))

    async def valid(self, raw: bytes) -> bytes:
        """An answer, which is JSON, with null for NaN and Infinity: most often itself.

        Raises:
            JobError: the child was killed.
        """
        if len(raw) <= IN_PROCESS or not finite.suspicious(raw):
            return finite.valid(raw)
        return await self._by_a_child("valid", raw)

    async def _by_a_child(self, work: str, raw: bytes) -> bytes:
        async with self._places:
            code, said = await _run(work, raw)
        if code == NOT_UNDERSTOOD:
            raise AnswerNotUnderstood(said.decode())
        if code:
            raise JobError(
                f"the worker could not read an answer of {len(raw) / 1e6:.1f} MB: its process ended"
                f" with code {code}, perhaps for want of memory; ask for less"
            )
        return said


async def _run(work: str, raw: bytes) -> tuple[int, bytes]:
    """A child's exit code, and what it makes of `raw`."""
    # Files in memory: through a pipe megabytes would go in thousands of steps of our event loop.
    with _file(raw) as given, _file() as made:
        child = await asyncio.create_subprocess_exec(
            *_CHILD, work, stdin=given, stdout=made, stderr=asyncio.subprocess.DEVNULL, cwd=_ROOT
        )
        try:
            code = await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
        os.lseek(made, 0, os.SEEK_SET)
        with open(made, "rb", closefd=False) as file:  # noqa: ASYNC230 - of memory
            return code, file.read()


@contextlib.contextmanager
def _file(data: bytes = b"") -> Iterator[int]:
    """A file in memory that holds `data`, at its beginning."""
    descriptor = os.memfd_create("answer")
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
