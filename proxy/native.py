"""The engine's answers in the form that the native job input is answered with. Pure.

``{"choices": [{"tokens": [...]}], "usage": {"input": n, "output": m}}``, one per batch when
streaming; `tokens` are pieces of text, in order, one list for each of `n` sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy import sse


def whole(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer that came in one piece."""
    choices = [{"tokens": [_text(choice)]} for choice in answer.get("choices", ())]
    usage = answer.get("usage") or {}
    return {
        "choices": choices,
        "usage": {
            "input": usage.get("prompt_tokens", 0),
            "output": usage.get("completion_tokens", 0),
        },
    }


@dataclass(slots=True)
class Stream:
    """Turns batches of events into answers; counts what has been given out."""

    input_tokens: int = 0
    output_tokens: int = 0
    _usage_seen: bool = field(default=False)

    def batch(self, events: Sequence[bytes]) -> dict[str, Any] | None:
        """The answer for one batch; None where it holds neither text nor the final usage."""
        texts: dict[int, list[str]] = {}
        usage_came = False
        for event in events:
            data = sse.parsed(event)
            usage_came |= self._take_usage(data.get("usage"))
            if not self._usage_seen:
                self.output_tokens += sse.tokens(event)
            for choice in data.get("choices") or ():
                if text := _text(choice):
                    texts.setdefault(choice.get("index", 0), []).append(text)
        if not texts and not usage_came:
            return None
        return {
            "choices": [{"tokens": texts.get(i, [])} for i in range(max(texts, default=-1) + 1)],
            "usage": {"input": self.input_tokens, "output": self.output_tokens},
        }

    def _take_usage(self, usage: Mapping[str, int] | None) -> bool:
        if not usage:
            return False
        self._usage_seen = True
        self.input_tokens = usage.get("prompt_tokens", self.input_tokens)
        self.output_tokens = usage.get("completion_tokens", self.output_tokens)
        return True


def _text(choice: Mapping[str, Any]) -> str:
    message = choice.get("delta") or choice.get("message") or {}
    return choice.get("text") or message.get("content") or ""
