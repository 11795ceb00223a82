"""What a model's family needs beside its name, told before the engine would refuse it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...catalog import Catalog
from ...findings import Fault, Findings
from ..arguments import Arguments
from ..values.remedies import some

if TYPE_CHECKING:
    from .table import Family

_TOOLS = "--enable-auto-tool-choice"
_PARSER = "--tool-call-parser"
_VARIABLE = "TOOL_CALL_PARSER"


def tools(
    options: Arguments, catalog: Catalog | None, model: str | None, config: Mapping[str, Any]
) -> Findings:
    """The parser that is missing where tools are asked for; vLLM ends without one.

    Args:
        options: what the command says.
        catalog: what the engine accepts.
        model: what the model is called, or its path; None where it is not known.
        config: the model's config.json; empty where it is not at hand.
    """
    option = catalog.option(_PARSER) if catalog else None
    switched = options.last(_TOOLS)
    if catalog is None or option is None or switched is None or options.value(_PARSER):
        return Findings()
    known = catalog.option(_TOOLS)
    off = switched.spelt in known.off if known else False
    if off or options.last("--config") is not None:  # the file may name it
        return Findings()
    names = tuple(str(choice) for choice in option.choices) or option.names
    message = "ENABLE_AUTO_TOOL_CHOICE needs TOOL_CALL_PARSER, which is not set"
    return Findings.of(Fault(_VARIABLE, "", message, _remedy(family(model, config), names)))


def family(model: str | None, config: Mapping[str, Any]) -> Family | None:
    """The family of a model, by its name, and where that says nothing by its architecture."""
    from .table import FAMILIES  # only now: most starts ask for no parser, and need not wait

    name = (model or "").lower().replace("_", "-")
    for each in FAMILIES:
        if each.name and re.search(each.name, name):
            return each
    listed = config.get("architectures")
    architectures = {str(item) for item in listed} if isinstance(listed, list) else set()
    return next((each for each in FAMILIES if each.architectures & architectures), None)


def _remedy(found: Family | None, names: tuple[str, ...]) -> str:
    for parser in found.parsers if found else ():
        if parser in names or not names:
            return f"set {_VARIABLE}={parser}, as models of this family write tool calls"
    listed = f": one of {some(names)}" if names else ""
    return f"set {_VARIABLE} to the form in which this model writes tool calls{listed}"
