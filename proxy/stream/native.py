"""The engine's answers in the form of the native job input. Pure.

``{"choices": [{"tokens": [...]}], "usage": {"input": n, "output": m}}``, one per batch when
streaming. Each list has what came, in order, one choice for each of `n` sequences:

- `tokens`: pieces of text;
- `logprobs`, where the request asks for them: an object of the engine's for each of these pieces;
- `reasoning`, `refusal`: pieces of text, where there are any;
- `tool_calls`: the engine's objects, deltas of them in a stream;
- whatever else a message of this engine has beside its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.errors import AnswerNotUnderstood, AnswerTooLarge
from proxy.stream import finite, sse
from proxy.stream.ramp import MOST_BYTES

#: Places of sequences in a batch. One that has nothing in it costs 16 bytes there; with thousands
#: of them that would be all that goes to the platform.
MOST_PLACES = 100

#: Of a message: who speaks, what stands in `tokens`, and names that have a meaning in a choice.
_NOT_BESIDE = frozenset({"role", "content", "tokens", "logprobs", "index"})
#: Names that the same thing had in other versions of vLLM; some send both.
_SAME: Mapping[str, str] = {"reasoning_content": "reasoning"}


@dataclass(frozen=True, slots=True)
class Encoded:
    """An answer in the native form: its JSON in UTF-8, and how many tokens it has."""

    text: bytes
    tokens: int


def encoded(raw: bytes) -> Encoded:
    """`raw`, an answer that came in one piece, in the native form.

    Raises:
        AnswerNotUnderstood: it is no JSON, or has no list of choices.
    """
    try:
        answer = finite.parsed(raw)
    except ValueError:
        shown = raw[:200].decode(errors="replace")
        raise AnswerNotUnderstood(f"the engine's answer is no JSON: {shown}") from None
    found = whole(answer)
    return Encoded(finite.encoded(found), found["usage"]["output"])


def whole(answer: Any) -> dict[str, Any]:
    """An answer that came in one piece.

    Raises:
        AnswerNotUnderstood: it has no list of choices.
    """
    if not isinstance(answer, Mapping) or not isinstance(answer.get("choices"), list):
        raise AnswerNotUnderstood("the engine's answer has no list of choices")
    shares = []
    for choice in sse.objects(answer["choices"]):
        shares.append(share := _Choice())
        share.add(choice, whole=True)
    usage = _object(answer.get("usage"))
    return {
        "choices": [share.shown() for share in shares],
        "usage": {
            "input": _number(usage, "prompt_tokens") or 0,
            "output": _number(usage, "completion_tokens") or 0,
        },
    }


@dataclass(slots=True)
class _Choice:
    """One sequence's share of a batch."""

    tokens: list[str] = field(default_factory=list)
    logprobs: list[Any] = field(default_factory=list)
    beside: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, choice: Mapping[str, Any], *, whole: bool = False) -> bool:
        """Take what an event has for it, or a whole answer, whose text counts even if empty.

        Returns:
            Whether there was anything.
        """
        message = _object(choice.get("delta") or choice.get("message"))
        text = choice.get("text") or message.get("content") or ""
        logprobs = choice.get("logprobs")
        took = bool(text) or whole or logprobs is not None
        if took:
            self.tokens.append(str(text))
        if logprobs is not None:
            self.logprobs.append(logprobs)
        for name, value in message.items():
            # Nearly every event has a null for each field, and nothing beside its text.
            if value and name not in _NOT_BESIDE and not message.get(_SAME.get(name, "")):
                parts = value if isinstance(value, list) else [value]
                self.beside.setdefault(_SAME.get(name, name), []).extend(parts)
                took = True
        return took

    def shown(self) -> dict[str, Any]:
        """As the caller gets it."""
        logprobs = {"logprobs": self.logprobs} if self.logprobs else {}
        return {"tokens": self.tokens, **logprobs, **self.beside}


@dataclass(slots=True)
class Stream:
    """Turns batches of events into answers, and counts their tokens."""

    input_tokens: int = 0
    output_tokens: int = 0  # that have come, over all sequences
    finish: str | None = None  # why the sequence ended that did so last
    _output: dict[int, int] = field(default_factory=dict)  # the same of each sequence

    def batch(self, events: Sequence[bytes]) -> dict[str, Any] | None:
        """The answer for one batch; None where it holds nothing of an answer, nor the final usage.

        Raises:
            AnswerTooLarge: a single event is larger than the platform carries.
        """
        shares: dict[int, _Choice] = {}
        at_its_end = False
        for event in events:
            _see_that_it_is_carried(event)
            data = sse.parsed(event)
            choices = sse.objects(data.get("choices"))
            at_its_end |= self._count(choices, _object(data.get("usage")))
            for choice in choices:
                self.finish = choice.get("finish_reason") or self.finish
                share = shares.get(index := _index(choice)) or _Choice()
                if share.add(choice):
                    shares[index] = share
        if not shares and not at_its_end:
            return None
        return {
            "choices": _listed(shares),
            "usage": {"input": self.input_tokens, "output": self.output_tokens},
        }

    def _count(self, choices: Sequence[Mapping[str, Any]], usage: Mapping[str, Any]) -> bool:
        """Count an event's tokens; whether it was the usage at the stream's end.

        While a stream runs, vLLM says in each event how many tokens its sequence has so far: all of
        a sequence in one event, for example, where a beam search made it. Where an engine does not,
        the events are counted.
        """
        if (asked := _number(usage, "prompt_tokens")) is not None:
            self.input_tokens = asked
        total = _number(usage, "completion_tokens")
        if usage and not choices:
            self.output_tokens = self.output_tokens if total is None else total
            return True
        for choice in choices:
            so_far = self._output.get(_index(choice), 0)
            now = so_far + sse.tokens_of(choice) if total is None else total
            self._output[_index(choice)] = now
            self.output_tokens += now - so_far
        return False


def _see_that_it_is_carried(event: bytes) -> None:
    """Before it is read, which would hold up every other stream; an error says what it says."""
    if len(event) > MOST_BYTES and sse.error(event) is None:
        raise AnswerTooLarge(
            f"an event of the stream has {len(event) / 1e6:.1f} MB, and the platform carries 1 MB;"
            " ask for less, or without stream"
        )


def _listed(shares: Mapping[int, _Choice]) -> list[dict[str, Any]]:
    """Each sequence in its place; or those alone that have something, with their `index`."""
    places = max(shares, default=-1) + 1
    if places > MOST_PLACES:
        return [{"index": index, **shares[index].shown()} for index in sorted(shares)]
    return [shares.get(place, _Choice()).shown() for place in range(places)]


def _index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) and index >= 0 else 0


def _number(usage: Mapping[str, Any], name: str) -> int | None:
    count = usage.get(name)
    return count if isinstance(count, int) else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
