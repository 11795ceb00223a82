"""Secrets that would stand on the engine's command line, from which nothing can move them. Pure."""

from __future__ import annotations

from ...findings import Findings, Remark
from ...secrets import masked_tokens
from ..arguments import Arguments
from .speakers import Speakers

_WHY = (
    "stands on the engine's command line with what looks like a secret in it: every process of this"
    " machine can read that, and vLLM may write it into its log"
)
_REMEDY = (
    "give the secret in a file or in a variable that the engine's library reads, where it has one,"
    " or see that nobody else has processes or logs here"
)


def found(options: Arguments, speakers: Speakers) -> Findings:
    """A warning for each option with a secret in its value: the option is named, no value is.

    Args:
        options: the whole command line; what the engine reads from a variable is not in it.
        speakers: who said what of it.
    """
    told: dict[str, Remark] = {}
    for argument in options.given:
        if masked_tokens(argument.tokens) == list(argument.tokens):
            continue
        name = speakers.said(argument, "", "")[0]
        what = name if name == argument.flag else f"{name} ({argument.spelt or 'a word'})"
        told.setdefault(what, Remark(name, f"{what} {_WHY}", _REMEDY))
    return Findings.of(*told.values())
