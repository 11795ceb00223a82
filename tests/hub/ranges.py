"""The part of a file that a request asks for (RFC 9110, 14)."""

from __future__ import annotations

import re

_ONE = re.compile(r"bytes=(?P<first>\d*)-(?P<last>\d*)")


def asked(header: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one behind the last, of `size`; None for all of it.

    Raises:
        ValueError: the file has nothing of it.
    """
    found = _ONE.fullmatch(header.strip())
    if found is None or not (found["first"] or found["last"]):
        return None  # what is no range, or several: a server may send all of it
    if not found["first"]:
        first, end = max(0, size - int(found["last"])), size
    else:
        first = int(found["first"])
        end = min(int(found["last"]) + 1, size) if found["last"] else size
        if found["last"] and int(found["last"]) < first:
            return None
    if first >= size or first == end:
        raise ValueError(header)
    return first, end
