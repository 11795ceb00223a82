"""The names for the log of requests, of which several are set together. Pure.

Older workers knew two and read one of them; templates carry both, and they differ. A log of what
callers ask is the worse mistake: the name that turns it off wins.
"""

from __future__ import annotations

from ...catalog import Catalog
from ...findings import Finding, Findings, Remark
from ...settings.parsers import boolean
from .rewritten import Rewritten

#: Name -> whether true turns the log on. The first one that turns it off is named as the winner.
_NAMES = {
    "DISABLE_LOG_REQUESTS": False,
    "DISABLE_LOGGING_REQUEST": False,
    "NO_ENABLE_LOG_REQUESTS": False,
    "ENABLE_LOG_REQUESTS": True,
}


def agreed(before: Rewritten, catalog: Catalog) -> tuple[Rewritten, Findings]:
    """`before` without the names that turn the log on where another one turns it off."""
    on = {name: turns for name in _NAMES if (turns := _turns_on(before, name)) is not None}
    off = [name for name, turns in on.items() if not turns]
    if not off or not any(on.values()) or not catalog.complete:
        return before, Findings()
    losers = [name for name, turns in on.items() if turns]
    found: list[Finding] = []
    for name in losers:
        message = f"{off[0]} and {name} differ; {off[0]} is used: requests are not logged"
        found.append(Remark(name, message, f"set only {off[0]}"))
    return before.without(*losers), Findings.of(*found)


def _turns_on(rewritten: Rewritten, name: str) -> bool | None:
    """None where it is not set, or says neither."""
    text = rewritten.text(name)
    try:
        return boolean(text) is _NAMES[name] if text else None
    except ValueError:
        return None
