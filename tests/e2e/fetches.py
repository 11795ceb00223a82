"""Asks the installed vLLM whom it would ask for an address. Run by the engine's interpreter.

Each line of its input is JSON. A text is an address: the line that answers it has the hosts to
which vLLM's own connector would connect, names and IP addresses, before any of them is looked up.
An object is a part of a chat's content: the line that answers it has what vLLM takes of it, the
kind and the address, or with which error it refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import sys
from typing import Any


def main() -> None:
    output = os.dup(1)
    os.dup2(2, 1)  # libraries print to stdout while they are imported
    with os.fdopen(output, "w", encoding="utf-8") as stdout:
        for line in sys.stdin:
            asked = json.loads(line)
            made = hosts(asked) if isinstance(asked, str) else taken(asked)
            print(json.dumps(made), file=stdout, flush=True)
    os._exit(0)


def hosts(url: str) -> list[str]:
    """The hosts that the connector would connect to."""
    aiohttp, connections, media, base, happy = (
        importlib.import_module(name)
        for name in (
            "aiohttp",
            "vllm.connections",
            "vllm.multimodal.media.connector",
            "vllm.multimodal.media.base",
            "aiohttp.connector",
        )
    )
    asked: list[str] = []

    class Names(aiohttp.abc.AbstractResolver):  # type: ignore[misc, name-defined]
        async def resolve(self, host: str, *_rest: Any, **_more: Any) -> Any:
            asked.append(host)
            raise OSError("nobody")

        async def close(self) -> None:
            pass

    class Nothing(base.MediaIO):  # type: ignore[misc, name-defined]
        def load_bytes(self, data: bytes) -> bytes:
            return data

        def load_base64(self, _kind: str, data: str) -> str:
            return data

        def load_file(self, path: Any) -> Any:
            return path

    async def start(addr_infos: Any, **_more: Any) -> Any:
        asked.extend(info[4][0] for info in addr_infos)
        raise OSError("nobody")

    async def fetch() -> None:
        connection = connections.HTTPConnection()
        tcp = aiohttp.TCPConnector(resolver=Names())
        connection._async_client = aiohttp.ClientSession(trust_env=True, connector=tcp)
        with contextlib.suppress(Exception):  # whatever it says, it has asked or not
            await media.MediaConnector(connection=connection).load_from_url_async(url, Nothing())
        await connection._async_client.close()

    happy.aiohappyeyeballs.start_connection = start
    asyncio.run(fetch())
    return asked


def taken(part: dict[str, Any]) -> Any:
    """Kind and address of a part."""
    try:
        chat = importlib.import_module("vllm.renderers.chat_utils")
    except ModuleNotFoundError:  # before 0.29
        chat = importlib.import_module("vllm.entrypoints.chat_utils")
    try:
        kind, content = chat._parse_chat_message_content_mm_part(part)
    except Exception as refused:  # noqa: BLE001 - any end is a refusal
        return {"refused": repr(refused)}
    return [kind, content]


if __name__ == "__main__":
    main()
