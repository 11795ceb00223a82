"""The jobs of a run: what is asked, how it is answered, and what an answer says. Pure."""

from __future__ import annotations

import re
from typing import Any

_STREAMS = 3  # every third job does not


def asked(number: int, seconds: float) -> dict[str, Any]:
    """The input of job `number`, which takes about so many seconds; any worker can answer it."""
    tokens = tokens_of(number)
    fake = {"tokens": tokens, "rate": tokens / seconds}
    body: dict[str, Any] = {"model": "tiny", "prompt": "x", "user": str(number), "fake": fake}
    body |= {"stream": bool(number % _STREAMS), "max_tokens": tokens}
    return {"openai_route": "/v1/completions", "openai_input": body}


def tokens_of(number: int) -> int:
    """How many tokens its answer has: neighbours differ, so that a mistaken one is seen."""
    return 3 + number % 11


def pieces(body: dict[str, Any]) -> list[Any]:
    """The outputs with which a light worker answers `openai_input`: two, where they stream."""
    words = [f" w{number}" for number in range(body["fake"]["tokens"])]
    if not body["stream"]:
        return [{"choices": [{"text": "".join(words)}]}]
    return ["".join(words[:2]), "".join(words[2:])]


def told(output: Any) -> list[int]:
    """The numbers of the tokens in a job's output, in their order; none where it has no form."""
    try:
        parts = [one if isinstance(one, str) else one["choices"][0]["text"] for one in output]
    except (TypeError, KeyError, IndexError):
        return []
    return [int(number) for number in re.findall(r"\bw(\d+)", "".join(parts))]
