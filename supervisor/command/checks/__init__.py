"""What the engine would refuse after its parser has taken it: 18 to 70 seconds later. Pure.

Each check reads the command line as it will be, whoever said what stands in it. What is certain to
end the start is an error; what only may be is a warning or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...catalog import Catalog, Option
from ...findings import Fault, Finding, Findings, Remark
from ..arguments import Argument, Arguments
from . import adapters, fields, names, numbers
from .refusal import Refusal
from .speakers import Speakers

_CHECKS = (names.check, numbers.check, fields.check, adapters.check)


def found(options: Arguments, speakers: Speakers, catalog: Catalog | None) -> Findings:
    """What is wrong with the values of a command line.

    Args:
        options: the whole of it.
        speakers: who said what of it.
        catalog: what the engine accepts; without one nothing is known.
    """
    if catalog is None:
        return Findings()
    all_of_it: list[Finding] = []
    for option, argument in _that_count(options, catalog):
        for check in _CHECKS:
            all_of_it += (
                _told(refusal, argument, speakers) for refusal in check(option, argument, options)
            )
    return Findings.of(*all_of_it)


def _that_count(options: Arguments, catalog: Catalog) -> Iterator[tuple[Option, Argument]]:
    """Each option that is given, with the last argument of it: the others have no effect."""
    last = {argument.flag: argument for argument in options.given}
    for flag, argument in last.items():
        option = catalog.option(flag)
        if option is not None:
            yield option, argument


def _told(refusal: Refusal, argument: Argument, speakers: Speakers) -> Finding:
    name, shown, sentence = speakers.said(argument, refusal.value, refusal.reason)
    remedy = refusal.remedy or None
    if refusal.certain:
        return Fault(name, shown, sentence, remedy)
    return Remark(name, sentence, remedy)
