"""`python -m tests.e2e.tunnel HANDLE`: hands on what comes to a socket that listens elsewhere.

It runs in a network namespace; the socket was made outside. What is handed on goes to the same port
of the namespace's own loopback. A refused connection is closed. It ends when its input does: with
whoever started it, and so the namespace is not kept by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys


async def serve(listening: socket.socket) -> None:
    """Hand connections on until nobody has the other end of its input any more."""
    loop = asyncio.get_running_loop()
    serving = asyncio.ensure_future(_serve(listening))
    loop.add_reader(sys.stdin.fileno(), serving.cancel)  # nobody writes there
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def _serve(listening: socket.socket) -> None:
    listening.setblocking(False)
    loop, at_work = asyncio.get_running_loop(), set()
    while True:
        connection, _ = await loop.sock_accept(listening)
        task = loop.create_task(_hand_on(connection, listening.getsockname()[1]))
        at_work.add(task)  # a task that nobody holds may be gone in the middle of its work
        task.add_done_callback(at_work.discard)


async def _hand_on(connection: socket.socket, port: int) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    with contextlib.suppress(OSError):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        # Each way ends for itself: a client may have said all before it is answered.
        await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        far_writer.close()
    writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1]))))
