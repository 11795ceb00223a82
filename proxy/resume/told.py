"""What the caller of a stream has got of its answer, read from what was handed over. Pure.

Nothing is noted while a stream runs: the outputs are kept for the job's result anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        counted: whether these were the ones at the answer's end.
    """

    head: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    begun: bool = False
    reasoning: bool = False
    calls: bool = False
    finish: str | None = None
    usage: Mapping[str, Any] | None = None
    counted: bool = False


def read(outputs: Sequence[bytes], *, native: bool, as_text: bool) -> Told:
    """The beginning of an answer.

    Args:
        outputs: as they were handed over, each as JSON.
        native: whether they are in the native form.
        as_text: whether they are text of events, otherwise lists of the events' objects.
    """
    chunks = _native(outputs) if native else _events(outputs) if as_text else _lists(outputs)
    told = Told()
    texts: list[str] = []
    for chunk in chunks:
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
            texts.append(str(said.get("content") or said.get("text") or ""))
            told.finish = choice.get("finish_reason") or told.finish
    told.text = "".join(texts)
    return told


def _events(outputs: Sequence[bytes]) -> Iterator[Mapping[str, Any]]:
    """A large event may be parted over outputs, so they are put together first."""
    splitter = sse.Splitter()
    text = "".join(map(str, map(finite.parsed, outputs)))
    for event in [*splitter.feed(text.encode(errors="replace")), *splitter.finish()]:
        if chunk := sse.parsed(event):
            yield chunk


def _lists(outputs: Sequence[bytes]) -> Iterator[Mapping[str, Any]]:
    for output in outputs:
        yield from sse.objects(finite.parsed(output))


def _native(outputs: Sequence[bytes]) -> Iterator[Mapping[str, Any]]:
    """As if they were events, one for each output."""
    for output in outputs:
        found = finite.parsed(output)
        batch = found if isinstance(found, dict) else {}
        yield {
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
