"""Fetches the media of a chat, as vLLM does: whatever address the caller gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp

from .generation import Refusal

_NAMES = ("image_url", "audio_url", "video_url")


async def fetch(asked: dict[str, Any]) -> None:
    """Fetch each of them over HTTP; what cannot be had is refused, in vLLM's words."""
    for url in _addresses(asked.get("messages")):
        if url[:5].lower() == "data:":
            continue
        if not url.startswith("http"):
            raise Refusal(400, "The URL must be either a HTTP, data or file URL.")
        try:
            async with aiohttp.ClientSession(trust_env=True) as session, session.get(url) as got:
                got.raise_for_status()
                await got.read()
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise Refusal(500, f"{type(error).__name__}: {error}") from error


def _addresses(value: Any) -> Iterator[str]:
    for entry in value if isinstance(value, list) else ():
        if not isinstance(entry, dict):
            continue
        yield from _addresses(entry.get("content"))
        for name in _NAMES:
            given = entry.get(name)
            url = given.get("url") if isinstance(given, dict) else given
            if isinstance(url, str) and url:
                yield url
