"""What a check says of a value. Pure."""

from __future__ import annotations

from ...records import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that the engine refuses.

    `value` is the part of the argument that is wrong, `reason` the end of a sentence that begins
    with the name and this value, `certain` whether it ends every start.
    """

    value: str
    reason: str
    remedy: str = ""
    certain: bool = True
