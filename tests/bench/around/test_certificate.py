"""The certificate is trusted by who is told to, and by nobody else."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

import pytest

from bench.around import certificate
from tests.client import PATIENCE

CLIENT = """
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(opener.open(sys.argv[1]).status)
"""


async def ask(url: str, environment: dict[str, str]) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLIENT, url),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, said.decode()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of a handshake that the client refuses
async def test_a_worker_that_trusts_it(tmp_path: Path) -> None:
    served, trusted = certificate.make(tmp_path)
    assert b"PRIVATE KEY" not in trusted.read_bytes()
    assert served.stat().st_mode & 0o077 == 0
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(served)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=secured)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    assert await ask(url, certificate.trusting(trusted)) == (0, "200\n")
    code, said = await ask(url, {})
    assert code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in said
    server.close()
