"""An error as the event in which the clients of a route read it inside a stream. Pure.

OpenAI's clients read it in the data of any event, also on `/v1/responses`. Anthropic's leaves out
every event without a name: a stream that ends with one of OpenAI's is a whole answer to it.

https://docs.anthropic.com/en/docs/build-with-claude/streaming#error-events
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MESSAGES = "/v1/messages"

#: https://docs.anthropic.com/en/api/errors#http-errors
_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_OURS = 500  # from this status on the request is not at fault


def event(route: str, error: Mapping[str, Any]) -> str:
    """The event for an OpenAI error object.

    Args:
        route: that streams.
        error: its `message`, `type`, `param` and `code`, which is an HTTP status.
    """
    if route != MESSAGES:
        return f"data: {_json({'error': error})}\n\n"
    status = error["code"]
    kind = _KINDS.get(status, "api_error" if status >= _OURS else "invalid_request_error")
    body = {"type": "error", "error": {"type": kind, "message": error["message"]}}
    return f"event: error\ndata: {_json(body)}\n\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
