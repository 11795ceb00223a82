"""The number of a version of vLLM, for those who do something by it. Pure."""

from __future__ import annotations

import re


def number(version: str | None) -> tuple[int, ...]:
    """`0.32.1+cpu` as (0, 32), to be compared; empty where the version is not known."""
    return tuple(int(part) for part in re.findall(r"\d+", version or "")[:2])
