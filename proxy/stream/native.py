"""The engine's answers in the form of the native job input. Pure.

``{"choices": [{"tokens": [...]}], "usage": {"input": n, "output": m}}``, one per batch when
streaming; `tokens` are pieces of text, in order, one list for each of `n` sequences. Where the
request asks for log probabilities, `logprobs` stands beside `tokens`, an object of the engine's for
each piece.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.stream import sse


def whole(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer that came in one piece."""
    choices = []
    for choice in answer.get("choices", ()):
        one = _Choice()
        one.add(choice)
        choices.append(one.shown())
    usage = answer.get("usage") or {}
    return {
        "choices": choices,
        "usage": {
            "input": usage.get("prompt_tokens", 0),
            "output": usage.get("completion_tokens", 0),
        },
    }


@dataclass(slots=True)
class _Choice:
    """One sequence's share of a batch."""

    tokens: list[str] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)

    def add(self, choice: Mapping[str, Any]) -> None:
        """Take what an event or an answer has for it."""
        self.tokens.append(_text(choice))
        if (logprobs := choice.get("logprobs")) is not None:
            self.logprobs.append(logprobs)

    def shown(self) -> dict[str, Any]:
        """As the caller gets it."""
        return {"tokens": self.tokens, **({"logprobs": self.logprobs} if self.logprobs else {})}


@dataclass(slots=True)
class Stream:
    """Turns batches of events into answers, and counts their tokens."""

    input_tokens: int = 0
    _output: dict[int, int] = field(default_factory=dict)  # tokens of each sequence
    _total: int | None = None  # what the engine says at the end

    @property
    def output_tokens(self) -> int:
        """How many tokens have come, over all sequences."""
        return sum(self._output.values()) if self._total is None else self._total

    def batch(self, events: Sequence[bytes]) -> dict[str, Any] | None:
        """The answer for one batch; None where it holds neither text nor the final usage."""
        shares: dict[int, _Choice] = {}
        at_its_end = False
        for event in events:
            data = sse.parsed(event)
            choices = data.get("choices") or ()
            at_its_end |= self._count(event, choices, data.get("usage") or {})
            for choice in choices:
                if _text(choice):
                    shares.setdefault(choice.get("index", 0), _Choice()).add(choice)
        if not shares and not at_its_end:
            return None
        places = range(max(shares, default=-1) + 1)
        return {
            "choices": [shares.get(place, _Choice()).shown() for place in places],
            "usage": {"input": self.input_tokens, "output": self.output_tokens},
        }

    def _count(
        self, event: bytes, choices: Sequence[Mapping[str, Any]], usage: Mapping[str, int]
    ) -> bool:
        """Count an event's tokens; whether it was the usage at the stream's end.

        While a stream runs, vLLM says in each event how many tokens its sequence has so far. Where
        an engine does not, the events are counted.
        """
        self.input_tokens = usage.get("prompt_tokens", self.input_tokens)
        if usage and not choices:
            self._total = usage.get("completion_tokens", self.output_tokens)
            return True
        index = choices[0].get("index", 0) if choices else 0
        so_far = self._output.get(index, 0)
        self._output[index] = usage.get("completion_tokens") or so_far + sse.tokens(event)
        return False


def _text(choice: Mapping[str, Any]) -> str:
    message = choice.get("delta") or choice.get("message") or {}
    return choice.get("text") or message.get("content") or ""
