"""Cuts a stream of bytes at the borders of its server-sent events. Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from proxy.errors import AnswerTooLarge
from proxy.stream import finite

DONE = b"[DONE]"
EVENT_MOST = 20_000_000  # bytes: more than the platform carries of one job

_BORDER = b"\n\n"
_HELD_MOST = 64 * 1024  # bytes of an event's beginning that each further piece is added to
_TEXT = re.compile(rb'"(?:content|text|reasoning|reasoning_content)":\s*"(?!")')
_OTHER_TEXT = re.compile(rb'"delta":\s*"|"type":\s*"content_block_delta"')
_TOKEN_IDS = re.compile(rb'"token_ids":\s*\[')
_NO_CHOICES = re.compile(rb'"choices":\s*\[\s*\]')
_TEXT_FIELDS = ("content", "reasoning", "reasoning_content", "tool_calls", "refusal")


class Splitter:
    """Takes bytes as they come and gives whole events, each with the blank line that ends it."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun: list[bytes] = []  # of an event, before the rest: without a border
        self._size = 0  # bytes in them

    def feed(self, data: bytes) -> list[bytes]:
        """The events that `data` completes.

        Raises:
            AnswerTooLarge: an event does not end within what the platform carries.
        """
        data = self._rest + data
        if b"\r" in data:
            data = _with_newlines(data)
        *events, self._rest = data.split(_BORDER)
        if events and self._begun:
            events[0] = self._joined() + events[0]
        elif len(self._rest) > _HELD_MOST:
            self._hold()
        return [event + _BORDER for event in events if event.strip(b"\n")]

    def finish(self) -> list[bytes]:
        """What is left at the end of the stream: an event whose blank line never came."""
        rest, self._rest = (self._joined() + self._rest).rstrip(b"\r\n"), b""
        return [rest + _BORDER] if rest.lstrip(b"\n") else []

    def _hold(self) -> None:
        """Put the rest aside, so that it is not looked through again with each piece."""
        end = len(self._rest.rstrip(b"\r\n"))
        self._begun.append(self._rest[:end])
        self._rest = self._rest[end:]
        self._size += end
        if self._size > EVENT_MOST:
            raise AnswerTooLarge(
                f"an event of the stream has more than the {EVENT_MOST / 1e6:.0f} MB that the"
                " platform carries of one job; ask for less"
            )

    def _joined(self) -> bytes:
        begun = b"".join(self._begun)
        self._begun, self._size = [], 0
        return begun


def _with_newlines(data: bytes) -> bytes:
    """CRLF and CR as LF. A CR at the very end stays: its LF may be on the way."""
    held = b"\r" if data.endswith(b"\r") else b""
    body = data[: len(data) - len(held)]
    return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held


def payload(event: bytes) -> bytes:
    """The data of an event: its `data:` lines, joined; empty for a comment."""
    if event.startswith(b"data: ") and event.count(b"\n") == 2:  # as vLLM sends them
        return event[6:-2]
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line[:5] == b"data:"]
    return b"\n".join(lines)


def is_comment(event: bytes) -> bool:
    """Whether an event is of comments only, as those that keep a silent connection open."""
    return event[:1] == b":" and all(line[:1] in (b":", b"") for line in event.split(b"\n"))


def is_done(event: bytes) -> bool:
    """Whether it is the `[DONE]` after which nothing comes."""
    return len(event) < 40 and payload(event).strip() == DONE


def is_last_but_done(event: bytes) -> bool:
    """Whether the end of the stream follows at once: it names why it ends, or has the usage.

    Of several sequences it may be that of one.
    """
    return (
        b'"finish_reason":"' in event
        or b'"choices":[]' in event
        or event.startswith((b"event: response.completed", b"event: message_stop"))
    )


def tokens(event: bytes) -> int:
    """How many tokens an event carries: its `token_ids`, else 1 if it has content.

    The engine merges several tokens into one event when it is busy; only `token_ids` show that.
    Nothing is parsed in the common case, an event with text and without ids.
    """
    if event[:1] == b":" and is_comment(event):
        return 0
    if b'"choices"' not in event:  # the responses and messages routes
        return 1 if _OTHER_TEXT.search(event) else 0
    if b'"token_ids"' in event and _TOKEN_IDS.search(event):
        return _tokens_parsed(event)
    if _TEXT.search(event):
        return 1
    return _tokens_parsed(event)


def _tokens_parsed(event: bytes) -> int:
    choices = parsed(event).get("choices")
    return sum(map(tokens_of, choices)) if isinstance(choices, list) else 0


def tokens_of(choice: Mapping[str, Any]) -> int:
    """The same for one choice of an event that has been parsed."""
    if not isinstance(choice, dict):
        return 0
    if isinstance(ids := choice.get("token_ids"), list):
        return len(ids)
    delta = choice.get("delta")
    said = isinstance(delta, dict) and any(delta.get(field) for field in _TEXT_FIELDS)
    return int(bool(choice.get("text")) or said)


def total(events: Sequence[bytes]) -> int | None:
    """How many tokens a stream has in all, where the engine says so in the last of these events.

    That is `stream_options.include_usage`; the event has no choices.
    """
    for event in events[-2:]:
        if b'"usage"' in event and _NO_CHOICES.search(event):
            usage = parsed(event).get("usage")
            count = usage.get("completion_tokens") if isinstance(usage, dict) else None
            return count if isinstance(count, int) else None
    return None


def parsed(event: bytes) -> dict[str, Any]:
    """The JSON object that an event carries; empty for `[DONE]`, comments and anything else."""
    try:
        found = finite.parsed(payload(event))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a list of JSON, as `choices` is one; none where it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def error(event: bytes) -> bytes | None:
    """The data of an event that reports an error inside the stream; None for any other event."""
    if b'"error"' not in event[:200]:
        return None
    data = payload(event)
    found = parsed(event)
    return data if found.get("error") or found.get("type") == "error" else None


def status(body: bytes) -> int:
    """The HTTP status that an error inside a stream names as its code; 500 where it names none."""
    try:
        code = finite.parsed(body)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return 500
    return code if isinstance(code, int) and 400 <= code <= 599 else 500
