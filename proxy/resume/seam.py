"""Makes the rest of an answer one with what came before: one id, one role, one usage. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proxy.resume.end import event as event_of
from proxy.resume.told import CALLS, REASONING, Told
from proxy.stream import sse

#: Tokens by which the question and what follows may have another number of them together. What
#: differs by more was counted without its pictures.
_MERGED = 3


class OtherKind(Exception):
    """The rest is of another kind than what came before: reasoning, or calls of tools."""


class OtherWord(Exception):
    """The engine says something else where it was to say again what the caller has."""


class Seam:
    """The events of the rest, as those of one answer.

    Args:
        told: what came before.
        ahead: white space or a word at its end, which the engine was not told of, and so will say
            again.
        tokens: how many the engine was told of.
        asked: how many the question had, as far as anybody counted them.
    """

    def __init__(self, told: Told, ahead: str, tokens: int, asked: int | None = None) -> None:
        self._told = told
        self._ahead = ahead
        self._tokens = tokens
        self._asked = asked

    def joined(self, events: Sequence[bytes]) -> list[bytes]:
        """The events to hand over in place of these.

        Raises:
            OtherKind: the engine goes on with something else than text.
            OtherWord: the word comes again as another one. Nothing of the rest was given before.
        """
        return [found for event in events if (found := self._joined(event)) is not None]

    def _joined(self, event: bytes) -> bytes | None:
        if sse.is_comment(event) or sse.is_done(event) or sse.error(event) is not None:
            return event
        data = sse.parsed(event)
        choices = data.get("choices")
        if not isinstance(choices, list):
            return event
        said = [self._choice(choice) for choice in choices if isinstance(choice, dict)]
        if choices and not any(said):
            return None  # the role, or white space, once more
        body = data | self._told.head | {"choices": choices}
        if isinstance(usage := data.get("usage"), dict):
            body["usage"] = self.usage(usage)
        return event_of(body)

    def _choice(self, choice: dict[str, Any]) -> bool:
        """Take out of a choice what the caller has; whether anything is left."""
        delta = choice.get("delta")
        said = delta if isinstance(delta, dict) else choice
        if any(said.get(name) for name in (*REASONING, *CALLS)):
            raise OtherKind
        if self._told.begun:
            said.pop("role", None)
        name = "text" if said is choice else "content"
        text = said.get(name)
        if isinstance(text, str) and text:
            said[name] = text = self._without_ahead(text)
        if choice.get("finish_reason") is not None and self._ahead.strip():
            raise OtherWord
        return bool(text) or choice.get("finish_reason") is not None or not self._told.begun

    def _without_ahead(self, text: str) -> str:
        """Without what the caller has; what differs from white space there is all new."""
        while self._ahead and text:
            if text[0] != self._ahead[0]:
                if self._ahead.strip():
                    raise OtherWord
                self._ahead = ""
                break
            self._ahead, text = self._ahead[1:], text[1:]
        return text

    def usage(self, usage: Mapping[str, Any]) -> dict[str, Any]:
        """The figures of both parts: what came before is not part of the question."""
        longer, made = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if not isinstance(longer, int) or not isinstance(made, int):
            return dict(usage)
        asked, made = longer - self._tokens, made + self._tokens
        if self._asked is not None and abs(self._asked - asked) <= _MERGED:
            asked = self._asked
        both = {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made}
        counted: dict[str, Any] = {**usage, **both}
        details = usage.get("prompt_tokens_details")
        if isinstance(details, Mapping) and isinstance(cached := details.get("cached_tokens"), int):
            # Of the answer so far, too, which this engine may have computed for another stream.
            kept = {**details, "cached_tokens": min(cached, asked)}
            counted["prompt_tokens_details"] = kept
        return counted
