"""The trace that a caller's job belongs to, as W3C's Trace Context writes it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PARENT, STATE = "traceparent", "tracestate"
#: Keys that say nothing to an engine where they stand among a request's parameters.
KEYS = frozenset({PARENT, STATE})

#: Where a caller can put them: beside the request, or in it, which is all that an OpenAI client
#: reaches (`extra_body`), for the platform hands on no headers.
_INNER = ("openai_input", "body")
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII)
_MOST = 512  # characters: of a state everybody has to carry so many, of a parent engines take them


@dataclass(frozen=True, slots=True)
class Context:
    """A caller's span, and what tracing systems say of it to each other."""

    parent: str
    state: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """As an HTTP request carries it."""
        return {PARENT: self.parent, **({STATE: self.state} if self.state else {})}


def read(given: Any) -> Context | None:
    """The context in a job's input; None where there is none, or where it is not well formed.

    What is not begins a trace of its own, as the standard has it.
    """
    for place in _places(given):
        if (parent := place.get(PARENT)) is not None:
            return _context(parent, place.get(STATE))
    return None


def _places(given: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(given, dict):
        yield given
        yield from (given[name] for name in _INNER if isinstance(given.get(name), dict))


def _context(parent: Any, state: Any) -> Context | None:
    if not isinstance(parent, str) or len(parent) > _MOST:
        return None
    if (found := _PARENT.fullmatch(parent.strip())) is None:
        return None
    version, trace, span, more = found.groups()
    if version == "ff" or not trace.strip("0") or not span.strip("0"):
        return None
    if more and (version == "00" or not _is_header(more)):
        return None
    return Context(parent.strip(), state.strip() if _is_state(state) else "")


def _is_state(state: Any) -> bool:
    return isinstance(state, str) and len(state) <= _MOST and _is_header(state)


def _is_header(text: str) -> bool:
    return text.isascii() and text.isprintable()
