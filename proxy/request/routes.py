"""Which routes of the engine a job may ask for. Pure.

A route is a path and nothing else, so that no spelling of it leads anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Literal

from proxy import excerpt
from proxy.errors import InvalidInput, RouteRefused
from supervisor.settings.routes import INFERENCE, OFFERED, READ, WORKER, is_route

Method = Literal["GET", "POST"]

#: Routes with a part that varies, all of them for reading. An answer's id begins with `resp_`:
#: what else stands under /v1/responses, `render` for one, is no answer.
_PATTERNS = (
    re.compile(r"/v1/models/[^/]+(/[^/]+)?"),
    re.compile(r"/v1/responses/resp_[A-Za-z0-9_-]+"),
)

#: What the platform has before a route in the addresses that it offers.
_PLATFORM = "/openai"


def check(route: str, also: AbstractSet[str] = frozenset()) -> str:
    """The path that may be sent to the engine.

    Args:
        route: as the job has it, for example `/v1/chat/completions`, or `/openai/v1/...` as in the
            platform's own addresses.
        also: routes that are offered beyond the default ones.

    Raises:
        RouteRefused: it is not a path, or not one that is offered.
    """
    shown = excerpt.value(route)
    if not is_route(route):
        raise RouteRefused(
            f"the route {shown} is not a path; a route looks like /v1/chat/completions"
        )
    if route.startswith(f"{_PLATFORM}/") and route not in also:
        route = route.removeprefix(_PLATFORM)
    offered = route in OFFERED or route in also
    if not offered and not any(pattern.fullmatch(route) for pattern in _PATTERNS):
        remedy = "WORKER_ROUTES=1 offers it" if route in WORKER else "ALLOWED_ROUTES can add it"
        raise RouteRefused(f"the route {shown} is not offered by this worker; {remedy}")
    return route


def methods(route: str) -> Sequence[Method] | None:
    """The methods that a route takes, the usual one first; None where only its engine knows."""
    if route in INFERENCE:
        return ("POST",)
    if route == "/ping":
        return ("GET", "POST")
    if route in READ | WORKER or any(pattern.fullmatch(route) for pattern in _PATTERNS):
        return ("GET",)
    return None


def chosen(route: str, takes: Sequence[Method], said: Method | None) -> Method:
    """The method to use: the one that the job said, or the usual one.

    Raises:
        InvalidInput: the route takes another.
    """
    if said is not None and said not in takes:
        message = f"the route {excerpt.text(route)} takes {' or '.join(takes)}, not {said}"
        raise InvalidInput(message, "method")
    return said or takes[0]
