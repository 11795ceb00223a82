"""Whose lines they are. Pure."""

from __future__ import annotations

from ...records import dataclass


@dataclass(frozen=True, slots=True)
class Speaker:
    """A process that prints into the log.

    Attributes:
        source: its name there.
        signature: what it was given to put before the lines of its logger; empty for one that puts
            nothing there.
        folds: whether the access log that it writes is folded.
        exports: where it exports spans to; empty for one that exports none.
    """

    source: str
    signature: str = ""
    folds: bool = False
    exports: str = ""


ENGINE = "engine"
PROXY = "proxy"
#: This process, and whatever prints into its own output.
SUPERVISOR = Speaker("supervisor")
