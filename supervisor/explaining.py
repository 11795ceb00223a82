"""What `explain` shows: the plan of an environment, or that of each of several nodes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from . import planning
from .catalog import options, versions
from .command.plan import Plan
from .doctor import fitting, refusals
from .findings import Findings

Make = Callable[[Mapping[str, str]], Plan]

_NODES_MOST = 1024  # each of which is planned and shown
_DIGITS = 5


def by(
    version: str | None,
    catalog: Path | None,
    arguments: Sequence[str],
    announce: Callable[[str], None],
) -> Make:
    """What makes a plan of an environment.

    Args:
        version: of the vLLM by whose options; None for another source.
        catalog: a file with them; None for the installed engine.
        arguments: what is written for the engine on the command line.
        announce: is told before the engine is asked for its options, which takes long.
    """
    known = versions.load(version) if version is not None else None
    if known is None and catalog is not None:
        known = options.load(catalog)

    def make(env: Mapping[str, str]) -> Plan:
        if known is not None:
            made = planning.by_catalog(env, known, arguments)
        else:
            instead = "name a version of vLLM with --vllm"
            made = refusals.checked(planning.by_engine(env, announce, arguments, or_else=instead))
        return fitting.checked(made, made.environment)

    return make


def nodes(env: Mapping[str, str], size: int, make: Make) -> tuple[Plan, ...]:
    """The plan of each of `size` nodes that have this environment but for their own numbers.

    What is found on any of them is found by the first, so that one list shows it.
    """
    from .command.cluster import every

    first, *others = (make(each) for each in every.environments(env, size))
    found = first.findings
    for other in others:
        found += Findings(
            warnings=tuple(each for each in other.findings.warnings if each not in found.warnings),
            errors=tuple(each for each in other.findings.errors if each not in found.errors),
        )
    return replace(first, findings=found), *others


def node_count(text: str) -> int:
    """How many nodes are asked for.

    Raises:
        ArgumentTypeError: it is no number of them.
    """
    if not text.isdecimal() or not 2 <= int(text[:_DIGITS]) <= _NODES_MOST:
        raise argparse.ArgumentTypeError(f"{text} is no number of nodes from 2 to {_NODES_MOST}")
    return int(text)
