"""The requests that warm an engine up: ours, or one on each line of a file of WARMUP. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from .routes import FORMS, INFERENCE

EXAMPLE = '{"route": "/v1/chat/completions", "body": {"messages": [...], "max_tokens": 1}}'

_KEYS = {"route", "body"}
_SHOWN = 60  # characters of a route


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the engine: its route and its JSON. What a caller sends is not shown."""

    route: str
    body: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Request({self.route!r}, ...)"


_STREAM = {"stream": True, "max_tokens": 4, "ignore_eos": True}
#: The smallest request of each kind of model; the first one that is not refused fits.
FIRST = (
    Request("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], **_STREAM}),
    Request("/v1/completions", {"prompt": "Hi", **_STREAM}),
    Request("/v1/embeddings", {"input": "Hi"}),
    Request("/score", {"text_1": "Hi", "text_2": "Hello"}),
    Request("/classify", {"input": "Hi"}),
    Request("/pooling", {"input": "Hi"}),
    Request("/v1/audio/transcriptions", {}),
)
_WORDS = (2, 20, 80)  # in the prompts that then come at once: kernels differ by size


def like(request: Request, *, grammar: bool) -> tuple[Request, ...]:
    """More requests such as `request`, with longer texts.

    Args:
        request: one of the smallest, that was answered.
        grammar: whether one of them asks for JSON, where the model writes text.
    """
    if request.route in FORMS:
        return (request,)
    longer = [Request(request.route, _longer(request.body, words)) for words in _WORDS]
    if grammar and request.body.get("stream"):
        body = {**request.body, "response_format": {"type": "json_object"}}
        longer.append(Request(request.route, body))
    return tuple(longer)


def requests(text: str, also: AbstractSet[str] = frozenset()) -> tuple[Request, ...]:
    """The requests in a file, in its order; blank lines count as none.

    Args:
        text: of the file.
        also: routes beyond those for inference.

    Raises:
        ValueError: with the line that is none, and why; the end of a sentence.
    """
    found = [
        _request(number, line, also)
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1)
        if line.strip()
    ]
    if not found:
        raise ValueError("has no request in it")
    return tuple(found)


def _request(number: int, line: str, also: AbstractSet[str]) -> Request:
    where = f"is not used: line {number}"
    try:
        said = json.loads(line, parse_constant=_no_json)
    except json.JSONDecodeError as reason:
        raise ValueError(f"{where} is no JSON ({reason.msg}: column {reason.colno})") from None
    except (RecursionError, ValueError):  # NaN, brackets without end, a number of many pages
        raise ValueError(f"{where} is no JSON that can be read") from None
    if not isinstance(said, dict):
        raise ValueError(  # noqa: TRY004 - all of these are a line that is refused
            f"{where} is {_kind(said)}, not an object with a route and a body"
        )
    if missing := sorted(_KEYS - said.keys()):
        raise ValueError(f"{where} has no {missing[0]}")
    if unknown := sorted(said.keys() - _KEYS):
        raise ValueError(f"{where} has a key {_shown(unknown[0])} beside route and body")
    route, body = said["route"], said["body"]
    if not isinstance(body, dict):
        raise ValueError(  # noqa: TRY004
            f"{where} has {_kind(body)} as its body, not an object"
        )
    if not isinstance(route, str) or route not in (INFERENCE | also) - FORMS:
        why = "is neither a route for inference nor in ALLOWED_ROUTES"
        why = "takes a form instead of JSON" if str(route) in FORMS else why
        raise ValueError(f"{where} asks for {_shown(route)}, which {why}")
    return Request(route, body)


def _longer(body: Mapping[str, Any], words: int) -> dict[str, Any]:
    text = " ".join(["Hi", *(str(number) for number in range(1, words))])
    longer = dict(body)
    for name in {"prompt", "input", "text_2"} & body.keys():
        longer[name] = text
    if "messages" in body:
        longer["messages"] = [{"role": "user", "content": text}]
    return longer


def _no_json(constant: str) -> None:
    raise ValueError(constant)


def _kind(value: object) -> str:
    names = {bool: "a boolean", str: "a text", list: "a list", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else "an object")


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
