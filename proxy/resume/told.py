"""What the caller of a stream has got of its answer, read from what was handed over. Pure.

Nothing is noted while a stream runs: the outputs are kept for the job's result anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.stream import finite, sse

#: Of a chat's message: text that is not the answer's, or no text.
REASONING = ("reasoning", "reasoning_content")
CALLS = ("tool_calls", "function_call")


@dataclass(slots=True)
class Told:
    """An answer's beginning.

    Attributes:
        head: `id`, `created`, `model` and whatever else stands beside the choices in its events.
        text: of the answer so far.
        begun: whether an event named the role.
        reasoning, calls: whether there was any.
        finish: why the answer ended, where that was said.
        usage: the figures in the last event that had some: of all that came.
        counted: whether none are to come: these were the ones at the answer's end, or nobody can
            count them.
    """

    head: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    begun: bool = False
    reasoning: bool = False
    calls: bool = False
    finish: str | None = None
    usage: Mapping[str, Any] | None = None
    counted: bool = False


class Reader:
    """Reads an answer's beginning, an output at a time: many take long.

    Args:
        native: whether they are in the native form.
        as_text: whether they are text of events, otherwise lists of the events' objects.
    """

    def __init__(self, *, native: bool, as_text: bool) -> None:
        self._native, self._as_text = native, as_text
        self._splitter = sse.Splitter()  # a large event may be parted over outputs
        self._told = Told()
        self._texts: list[str] = []

    def add(self, output: bytes) -> None:
        """The next output, as JSON, in which it was handed over."""
        found = finite.parsed(output)
        if self._native:
            self._chunk(_chunk_of(found))
        elif self._as_text:
            self._events(self._splitter.feed(str(found).encode(errors="replace")))
        else:
            for chunk in sse.objects(found):
                self._chunk(chunk)

    def finish(self) -> Told:
        """What all of them told."""
        self._events(self._splitter.finish())
        self._told.text = "".join(self._texts)
        return self._told

    def _events(self, events: Iterable[bytes]) -> None:
        for event in events:
            if chunk := sse.parsed(event):
                self._chunk(chunk)

    def _chunk(self, chunk: Mapping[str, Any]) -> None:
        told = self._told
        if not told.head:
            told.head = {name: chunk[name] for name in chunk if name not in ("choices", "usage")}
        if isinstance(usage := chunk.get("usage"), dict):
            told.usage, told.counted = usage, chunk.get("choices") == []
        for choice in sse.objects(chunk.get("choices")):
            delta = choice.get("delta")
            said = delta if isinstance(delta, dict) else choice
            told.begun |= "role" in said
            told.reasoning |= any(said.get(name) for name in REASONING)
            told.calls |= any(said.get(name) for name in CALLS)
            self._texts.append(str(said.get("content") or said.get("text") or ""))
            told.finish = choice.get("finish_reason") or told.finish


def _chunk_of(output: Any) -> Mapping[str, Any]:
    """An output of the native form as if it were an event."""
    batch = output if isinstance(output, dict) else {}
    return {
        "choices": [
            {**choice, "text": "".join(map(str, choice.get("tokens") or ()))}
            for choice in sse.objects(batch.get("choices"))
        ],
        "usage": _figures(batch.get("usage")),
    }


def _figures(usage: Any) -> dict[str, int] | None:
    """The engine's, of those of a batch."""
    try:
        asked, made = int(usage["input"]), int(usage["output"])
    except (TypeError, KeyError, ValueError):
        return None
    return {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made}
