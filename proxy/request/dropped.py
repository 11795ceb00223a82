"""Request parameters of older engines that today's vLLM silently drops. Pure.

vLLM ignores what it does not know: it would answer a request as if the parameter were not there. A
value that changes nothing is left out; any other is refused, with the way to do it now. Older
engines that still have the parameter get it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proxy import excerpt
from proxy.errors import InvalidInput

#: The routes that take sampling parameters.
ROUTES = frozenset({"/v1/chat/completions", "/v1/completions"})


@dataclass(frozen=True, slots=True)
class _Gone:
    """A parameter that is gone since vLLM `since`, and what to give `instead`.

    `idle` tells whether a value changes nothing in its request's body.
    """

    since: tuple[int, ...]
    instead: str
    idle: Callable[[Any, Mapping[str, Any]], bool] = lambda value, _body: value is None


def _within_n(value: Any, body: Mapping[str, Any]) -> bool:
    count, wanted = _whole(body.get("n") or 1), _whole(value)
    return count is not None and wanted is not None and wanted <= count


def _whole(value: Any) -> int | None:
    """A whole number as vLLM reads it, which takes the text of one, too."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else None
    return value if isinstance(value, int) else None


_SCHEMA = "give structured_outputs"

#: Read from the request classes of vLLM 0.6.2 to 0.33.0.
_PARAMETERS: Mapping[str, _Gone] = {
    "best_of": _Gone(
        (0, 10),
        "ask for n of them and choose yourself; the width of a beam search is n",
        lambda value, body: value is None or _within_n(value, body),
    ),
    "early_stopping": _Gone(
        (0, 7),
        "leave it out; length_penalty and max_tokens shape a beam search",
        lambda value, _body: value in (None, False),
    ),
    "guided_json": _Gone((0, 12), f'{_SCHEMA}: {{"json": ...}}, or response_format'),
    "guided_regex": _Gone((0, 12), f'{_SCHEMA}: {{"regex": ...}}'),
    "guided_choice": _Gone((0, 12), f'{_SCHEMA}: {{"choice": [...]}}'),
    "guided_grammar": _Gone((0, 12), f'{_SCHEMA}: {{"grammar": ...}}'),
    "guided_decoding_backend": _Gone(
        (0, 12), "the worker's GUIDED_DECODING_BACKEND sets it for all requests"
    ),
}


def suspects(route: str, body: Mapping[str, Any]) -> bool:
    """Whether a request has such a parameter, so that the engine's version matters."""
    return route in ROUTES and not _PARAMETERS.keys().isdisjoint(body)


def settle(body: Mapping[str, Any], version: str | None) -> dict[str, Any]:
    """`body` without the parameters that are gone and change nothing.

    Args:
        body: of a request to one of `ROUTES`.
        version: the engine's; None counts as today's.

    Raises:
        InvalidInput: this version would drop a parameter that changes the answer.
    """
    kept = dict(body)
    number = tuple(int(part) for part in re.findall(r"\d+", version or "")[:2])
    for name in _PARAMETERS.keys() & body.keys():
        gone = _PARAMETERS[name]
        if number and number < gone.since:
            continue
        value = kept.pop(name)
        if not gone.idle(value, body):
            plain = isinstance(value, int | bool | str)
            shown = f"{name}={excerpt.value(value)}" if plain else name
            message = f"{shown} has no effect in vLLM {version or ''}".rstrip()
            raise InvalidInput(f"{message}: {gone.instead}", name)
    return kept
