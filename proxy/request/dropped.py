"""Request parameters of other versions that this engine would silently drop. Pure.

vLLM ignores what it does not know: it would answer a request as if the parameter were not there. A
value that changes nothing is left out; any other is refused, with the way to do it on this version.
Engines that have the parameter get it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proxy import excerpt
from proxy.errors import InvalidInput
from proxy.request import lax

#: The routes that take sampling parameters.
ROUTES = frozenset({"/v1/chat/completions", "/v1/completions"})


_Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter that some versions have: from `since` on, and before `gone` where that is set.

    `instead` says what to give where it has no effect, for its value. `idle` tells whether a value
    changes nothing in its request's body.
    """

    instead: Callable[[Any], str]
    since: _Version = ()
    gone: _Version = ()
    idle: Callable[[Any, Mapping[str, Any]], bool] = lambda value, _body: value is None

    def known(self, version: _Version) -> bool:
        """Whether this version has it; an empty one counts as today's."""
        if not version:
            return not self.gone
        return self.since <= version and not (self.gone and version >= self.gone)


def _gone(
    since: _Version,
    instead: str,
    idle: Callable[[Any, Mapping[str, Any]], bool] = lambda value, _body: value is None,
) -> _Parameter:
    return _Parameter(lambda _value: instead, gone=since, idle=idle)


def _within_n(value: Any, body: Mapping[str, Any]) -> bool:
    count, wanted = lax.whole(body.get("n") or 1), lax.whole(value)
    return count is not None and wanted is not None and wanted <= count


#: The entries of structured_outputs -> what does the same in versions that have it not.
_GUIDED = {
    "json": "guided_json",
    "regex": "guided_regex",
    "choice": "guided_choice",
    "grammar": "guided_grammar",
    "whitespace_pattern": "guided_whitespace_pattern",
    "json_object": 'response_format: {"type": "json_object"}',
}


def _guided(value: Any) -> str:
    """How to say on an older engine what structured_outputs says."""
    given = value if isinstance(value, Mapping) else {}
    same = [older for entry, older in _GUIDED.items() if given.get(entry) not in (None, False)]
    names = " and ".join(same) or "guided_json, guided_regex, guided_choice or guided_grammar"
    return f"give {names}, beside the other parameters"


_SCHEMA = "give structured_outputs"

#: Read from the request classes of vLLM 0.6.2 to 0.33.0.
_PARAMETERS: Mapping[str, _Parameter] = {
    "best_of": _gone(
        (0, 10),
        "ask for n of them and choose yourself; the width of a beam search is n",
        lambda value, body: value is None or _within_n(value, body),
    ),
    "early_stopping": _gone(
        (0, 7),
        "leave it out; length_penalty and max_tokens shape a beam search",
        lambda value, _body: value in (None, False),
    ),
    "guided_json": _gone((0, 12), f'{_SCHEMA}: {{"json": ...}}, or response_format'),
    "guided_regex": _gone((0, 12), f'{_SCHEMA}: {{"regex": ...}}'),
    "guided_choice": _gone((0, 12), f'{_SCHEMA}: {{"choice": [...]}}'),
    "guided_grammar": _gone((0, 12), f'{_SCHEMA}: {{"grammar": ...}}'),
    "guided_whitespace_pattern": _gone((0, 12), f'{_SCHEMA}: {{..., "whitespace_pattern": ...}}'),
    "structural_tag": _gone((0, 12), f'{_SCHEMA}: {{"structural_tag": ...}}'),
    "guided_decoding_backend": _gone(
        (0, 12), "the worker's GUIDED_DECODING_BACKEND sets it for all requests"
    ),
    "structured_outputs": _Parameter(
        _guided, since=(0, 11), idle=lambda value, _body: value in (None, {})
    ),
}


def suspects(route: str, body: Mapping[str, Any]) -> bool:
    """Whether a request has such a parameter, so that the engine's version matters."""
    return route in ROUTES and not _PARAMETERS.keys().isdisjoint(body)


def settle(body: Mapping[str, Any], version: str | None) -> dict[str, Any]:
    """`body` without the parameters that this version has not and that change nothing.

    Args:
        body: of a request to one of `ROUTES`.
        version: the engine's; None counts as today's.

    Raises:
        InvalidInput: this version would drop a parameter that changes the answer.
    """
    kept = dict(body)
    number = tuple(int(part) for part in re.findall(r"\d+", version or "")[:2])
    for name in _PARAMETERS.keys() & body.keys():
        parameter = _PARAMETERS[name]
        if parameter.known(number):
            continue
        value = kept.pop(name)
        if not parameter.idle(value, body):
            plain = isinstance(value, int | bool | str)
            shown = f"{name}={excerpt.value(value)}" if plain else name
            message = f"{shown} has no effect in vLLM {version or ''}".rstrip()
            raise InvalidInput(f"{message}: {parameter.instead(value)}", name)
    return kept
