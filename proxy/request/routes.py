"""Which routes of the engine a job may ask for. Pure.

A route is a path and nothing else, so that no spelling of it leads anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from proxy.errors import RouteRefused

#: Inference, and what a client reads beside it. Administration (sleep, LoRA loading, scaling,
#: aborting, profiling) is missing on purpose; ALLOWED_ROUTES can add it.
DEFAULT_ROUTES = frozenset(
    """
    /v1/chat/completions /v1/completions /v1/responses /v1/messages /v1/messages/count_tokens
    /v1/embeddings /v1/models /v1/audio/transcriptions /v1/audio/translations
    /v1/score /score /v1/rerank /v2/rerank /rerank /pooling /classify /tokenize /detokenize
    /version /health /ping
    """.split()
)

#: Routes with a part that varies.
_PATTERNS = (re.compile(r"/v1/models/[^/]+(/[^/]+)?"), re.compile(r"/v1/responses/[\w-]+"))

#: Every character that may stand in a route. No `%`: an encoded slash or dot is a disguise. No `?`,
#: `#`, `@`, `:` beyond model names, `\`, white space or control characters.
_PATH = re.compile(r"(/[A-Za-z0-9._~:-]+)+")


def check(route: str, also: AbstractSet[str] = frozenset()) -> str:
    """Return `route` if it may be sent to the engine.

    Args:
        route: as the job has it, for example `/v1/chat/completions`.
        also: routes that are offered beyond the default ones.

    Raises:
        RouteRefused: it is not a path, or not one that is offered.
    """
    shown = route[:100]
    segments = route.split("/")
    if not _PATH.fullmatch(route) or "." in segments or ".." in segments:
        raise RouteRefused(
            f"the route {shown!r} is not a path; a route looks like /v1/chat/completions"
        )
    offered = route in DEFAULT_ROUTES or route in also
    if not offered and not any(pattern.fullmatch(route) for pattern in _PATTERNS):
        raise RouteRefused(
            f"the route {shown} is not offered by this worker; ALLOWED_ROUTES can add it"
        )
    return route
