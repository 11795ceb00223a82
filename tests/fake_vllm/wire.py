"""The objects of events as TCP writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .generation import Fake


class Wire:
    """Turns the objects of events into TCP writes, torn or merged as `fake` says."""

    def __init__(self, fake: Fake, name: str) -> None:
        self._fake = fake
        self._name = name
        self._held = b""
        self._merged = 0

    def event(self, data: dict[str, Any] | str) -> Iterator[bytes]:
        """The writes for one event."""
        text = data if isinstance(data, str) else json_text(data)
        head = f"event: {self._name}\n" if self._fake.event_names else ""
        comment = ": ping\n\n" if self._fake.keepalive else ""
        yield from self._cut(f"{comment}{head}data: {text}\n\n")

    def ping(self) -> Iterator[bytes]:
        """The writes for a comment."""
        yield from self._cut(": ping\n\n")

    def rest(self) -> bytes:
        """What is still held back."""
        held, self._held = self._held, b""
        return held

    def _cut(self, text: str) -> Iterator[bytes]:
        fake = self._fake
        raw = (text.replace("\n", "\r\n") if fake.crlf else text).encode()
        if fake.half_character and (wide := re.search(rb"[\xc0-\xff]", raw)):
            yield self.rest() + raw[: wide.end()]
            raw = raw[wide.end() :]
        if fake.split_events:
            middle = len(raw) // 2
            yield self.rest() + raw[:3]
            yield raw[3:middle]
            yield raw[middle:-1]
            self._held = raw[-1:]
            return
        self._held += raw
        self._merged += 1
        if self._merged >= fake.merge_events:
            self._merged = 0
            yield self.rest()


def json_text(data: Any) -> str:
    """JSON as vLLM's pydantic writes it: no blanks, characters as they are."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
