"""Who said what of a command line, for sentences that name it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...findings import Applied
from ...records import dataclass
from ...secrets import masked
from ...settings import table
from ..arguments import Argument, Arguments

_EXTRA = table.VLLM_EXTRA_ARGS.name


@dataclass(frozen=True, slots=True)
class Speakers:
    """The variables that took effect, and the options that VLLM_EXTRA_ARGS added."""

    applied: Sequence[Applied]
    extra: Arguments

    def said(self, argument: Argument, value: str, reason: str) -> tuple[str, str, str]:
        """The variable, what is shown of its value, and a sentence: `NAME=value is not ...`.

        Args:
            argument: what is wrong.
            value: the part of it that is.
            reason: the end of the sentence.
        """
        if any(argument is each for each in self.extra.given):
            return of_extra(argument.spelt, value, reason)
        name, text = self._variable(argument, value)
        shown = masked(name, text)
        if text.strip() == value or not value:
            return name, shown, f"{name}={shown} {reason}"
        return name, shown, f"{name}={shown}: {masked(name, value)} {reason}"

    def _variable(self, argument: Argument, value: str) -> tuple[str, str]:
        """Of several old names that are fields of one option the one that has the value."""
        rows = [row for row in self.applied if row.flag == argument.flag]
        rows = [row for row in rows if row.value.strip() == value] or rows
        if rows:
            return rows[-1].env, rows[-1].value
        return argument.flag, " ".join(argument.values)


def of_extra(spelt: str, value: str, reason: str) -> tuple[str, str, str]:
    """As `Speakers.said`, of an option that stands in VLLM_EXTRA_ARGS."""
    shown = masked(_EXTRA, f"{spelt}={value}" if spelt and value else spelt or value)
    return _EXTRA, shown, f"{shown} in {_EXTRA} {reason}"
