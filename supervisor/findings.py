"""What a reading of the environment found: the words that each pass of it answers in. Pure."""

from __future__ import annotations

import re
from typing import Literal, TypeVar

from .records import dataclass, replace

_LONGEST = 300  # characters of a word
_LONG = re.compile(rf"(\S{{100}})\S{{{_LONGEST - 100},}}")
Source = Literal["option", "alias", "legacy", "config-file", "extra-args", "arguments", "worker"]


@dataclass(frozen=True, slots=True)
class Applied:
    """One variable that took effect: what it was and what it became."""

    env: str
    value: str
    flag: str | None
    source: Source
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """One variable that is set and deliberately has no effect."""

    env: str
    reason: str


class Kept(Ignored):
    """One variable that becomes no option, because the engine reads it from its environment."""

    __slots__ = ()


class Guarded(Ignored):
    """One variable with the name of an option that it does not become: others set that name."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """A warning: nothing is wrong enough to stop the start."""

    env: str
    message: str
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that cannot be used; any of these ends the start with code 78."""

    env: str
    value: str
    message: str
    suggestion: str | None = None


_Said = TypeVar("_Said", Remark, Fault)
Finding = Applied | Ignored | Remark | Fault


@dataclass(frozen=True, slots=True)
class Findings:
    """What one pass found, or several added together; each kind in the order of the reading."""

    applied: tuple[Applied, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    warnings: tuple[Remark, ...] = ()
    errors: tuple[Fault, ...] = ()

    @classmethod
    def of(cls, *found: Finding) -> Findings:
        """Single findings, sorted by their kind."""
        return cls(
            tuple(each for each in found if isinstance(each, Applied)),
            tuple(each for each in found if isinstance(each, Ignored)),
            tuple(each for each in found if isinstance(each, Remark)),
            tuple(each for each in found if isinstance(each, Fault)),
        )

    def __add__(self, later: Findings) -> Findings:
        """Both, `later` behind. What a later pass made of a variable is what became of it."""
        again = {row.env for row in later.applied}
        return Findings(
            (*(row for row in self.applied if row.env not in again), *later.applied),
            self.ignored + later.ignored,
            self.warnings + later.warnings,
            self.errors + later.errors,
        )

    def shortened(self) -> Findings:
        """With words of values that nobody reads to their end cut, as numbers of 5,000 digits."""
        return replace(
            self,
            warnings=tuple(_shortened(each) for each in self.warnings),
            errors=tuple(replace(_shortened(each), value=_cut(each.value)) for each in self.errors),
        )

    def beside(self, first: Findings) -> Findings:
        """Without warnings and errors about variables that `first` has an error for."""
        wrong = {fault.env for fault in first.errors}
        return replace(
            self,
            warnings=tuple(each for each in self.warnings if each.env not in wrong),
            errors=tuple(each for each in self.errors if each.env not in wrong),
        )


def _shortened(found: _Said) -> _Said:
    remedy = found.suggestion and _cut(found.suggestion)
    return replace(found, message=_cut(found.message), suggestion=remedy)


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return _LONG.sub(lambda word: f"{word[1]}... ({len(word[0])} characters)", text)


def not_passed_on(name: str) -> Remark:
    """The warning for a variable that cannot be carried over while the options are not known."""
    message = f"{name} is not passed on: this vLLM did not say which options it takes"
    return Remark(name, message, "set the option in VLLM_EXTRA_ARGS")
