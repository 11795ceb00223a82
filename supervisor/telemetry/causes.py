"""Why a request over HTTP failed, out of what `requests` and urllib3 wrap. Pure."""

from __future__ import annotations

import re
from http.client import HTTPException

_TUNNEL = re.compile(r"(Tunnel connection failed: \d{3}) .*", re.DOTALL)  # and the proxy's words
_PLACE = re.compile(r" \(_\w+\.c:\d+\)")  # in OpenSSL's binding, as Python ends such a sentence


def innermost(reason: BaseException) -> BaseException:
    """What the others have as a `reason`, among their arguments or as the cause."""
    seen = {id(reason)}
    while (inner := _inner(reason)) is not None and id(inner) not in seen:
        seen.add(id(inner))
        reason = inner
    return reason


def _inner(reason: BaseException) -> BaseException | None:
    wrapped = (getattr(reason, "reason", None), *reason.args, reason.__cause__)
    return next((each for each in wrapped if isinstance(each, BaseException)), None)


def told(reason: BaseException) -> str:
    """In few words, mostly the system's: Connection refused, Name or service not known.

    Nothing of what the other side says is in them.
    """
    found = innermost(reason)
    if isinstance(found, OSError) and found.strerror:
        return _PLACE.sub("", found.strerror)
    if "timed out" in str(found):
        return "timed out"
    if isinstance(found, HTTPException) and not isinstance(found, OSError):
        return f"no HTTP comes back ({type(found).__name__})"
    said = _TUNNEL.sub(r"\1", str(found))
    return " ".join(said.split()) or type(found).__name__
