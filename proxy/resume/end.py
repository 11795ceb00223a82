"""The end of an answer, where that is all that its engine did not send any more. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.request import lax
from proxy.request.forms import CHAT, Request
from proxy.resume.told import Told
from proxy.stream import finite

_DONE = b"data: [DONE]\n\n"
_AT_ITS_LIMIT = {"finish_reason": "length"}


def wants_figures(request: Request, told: Told) -> bool:
    """Whether the caller asked for the usage at the end, and has not got it."""
    options = request.body.get("stream_options")
    asked = isinstance(options, Mapping) and bool(lax.boolean(options.get("include_usage")))
    return asked and not told.counted


def known(request: Request, told: Told) -> list[bytes] | None:
    """The events that are missing, as far as no engine has to be asked for them.

    Returns:
        None where it has to be, or where more than the end is missing.
    """
    if told.finish is None:
        return None
    if not wants_figures(request, told):
        return [_DONE]
    return None if told.usage is None else events(request, told, told.usage)


def events(request: Request, told: Told, usage: Mapping[str, Any] | None) -> list[bytes]:
    """The events after the last token.

    Args:
        request: the one that is answered.
        told: what came of the answer; without a reason for its end its limit is that.
        usage: the figures of all of it; None where the caller does not want them.
    """
    found: list[bytes] = []
    if told.finish is None:
        said: dict[str, Any] = {"delta": {}} if request.route == CHAT else {"text": ""}
        found.append(event({**told.head, "choices": [{"index": 0, **said, **_AT_ITS_LIMIT}]}))
    if usage is not None:
        found.append(event({**told.head, "choices": [], "usage": usage}))
    return [*found, _DONE]


def event(body: Mapping[str, Any]) -> bytes:
    """An event with this object."""
    return b"data: %b\n\n" % finite.encoded(body)
