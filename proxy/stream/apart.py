"""A large answer in the native form, made by a process of its own.

To parse 17 MB and to write them again takes half a second, and 2.6 s where they are nothing but
brackets, in which no other stream of this process would move: Python's parser holds the
interpreter all the while, also in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proxy.errors import AnswerNotUnderstood, JobError
from proxy.stream import native
from proxy.stream.raw import RawJson

#: Bytes. Up to here it takes 10 ms, and 30 ms where the answer is nothing but brackets: less than
#: a child takes to start.
IN_PROCESS = 200_000

_AT_ONCE = 2  # children: each takes a core, and up to twenty times the memory of its answer
_NOT_UNDERSTOOD = 3  # a child's exit code; its output is then a sentence
_ROOT = Path(__file__).parents[2]
#: It needs nothing but the standard library.
_CHILD = (sys.executable, "-E", "-S", "-m", "proxy.stream.apart")


class Native:
    """Puts the engine's answers into the native form; inside one event loop."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, raw: bytes) -> tuple[Any, int]:
        """An answer that came in one piece, in the native form, and how many tokens it has.

        A large one is `RawJson`.

        Raises:
            AnswerNotUnderstood: it is no JSON object with choices.
            JobError: the child was killed.
        """
        if len(raw) <= IN_PROCESS:
            made = native.encoded(raw)
            return json.loads(made.text), made.tokens
        async with self._places:
            code, said = await _by_a_child(raw)
        if code == _NOT_UNDERSTOOD:
            raise AnswerNotUnderstood(said.decode())
        if code:
            raise JobError(
                f"the worker could not read an answer of {len(raw) / 1e6:.1f} MB: its process ended"
                f" with code {code}, perhaps for want of memory; ask for less"
            )
        tokens, _, text = said.partition(b"\n")
        return RawJson(text), int(tokens)


def main() -> int:
    """Be the child: read an answer from standard input, write it in the native form.

    Returns:
        The exit code; before the answer stands a line with the number of its tokens.
    """
    output = sys.stdout.buffer
    try:
        found = native.encoded(sys.stdin.buffer.read())
    except AnswerNotUnderstood as reason:
        output.write(str(reason).encode(errors="backslashreplace"))
        return _NOT_UNDERSTOOD
    output.write(b"%d\n" % found.tokens + found.text)
    return 0


async def _by_a_child(raw: bytes) -> tuple[int, bytes]:
    """Its exit code, and what it makes of `raw`."""
    # Files in memory: through a pipe megabytes would go in thousands of steps of our event loop.
    with _file(raw) as given, _file() as made:
        child = await asyncio.create_subprocess_exec(
            *_CHILD,
            stdin=given,
            stdout=made,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=_ROOT,
            env={},  # the engine can read that of a child: it is not hidden as we are
        )
        try:
            code = await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()  # else nobody has waited for it when the event loop closes
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


if __name__ == "__main__":
    sys.exit(main())
