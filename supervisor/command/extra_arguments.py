"""VLLM_EXTRA_ARGS: what the user says to the engine in its own words. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from ..catalog import Catalog
from ..findings import Applied, Fault, Finding, Findings, Remark
from ..secrets import MASK, masked
from ..settings import table
from . import arguments
from .arguments import SECRETS, Argument, Arguments

NAME = table.VLLM_EXTRA_ARGS.name


def read(
    env: Mapping[str, str], catalog: Catalog | None
) -> tuple[Arguments, Mapping[str, str], Findings]:
    """The extra arguments in `env`.

    Returns:
        The options that go on the command line; the secrets among them, which go into the engine's
        environment, for every process of the machine can read a command line; what was found.
    """
    try:
        tokens = shlex.split(table.VLLM_EXTRA_ARGS.written(env))
    except ValueError as reason:
        # Not its text: what is a secret in it cannot be told before it is split.
        message = f"{NAME} cannot be split as a shell would: {str(reason).lower()}"
        return Arguments(), {}, Findings.of(Fault(NAME, MASK, message, "close the quote"))
    given = arguments.parse(tokens, catalog).given
    secrets = [each for each in given if each.flag in SECRETS]
    kept = Arguments(tuple(each for each in given if each.flag not in SECRETS))
    moved = {SECRETS[each.flag]: each.values[0] for each in secrets if any(each.values[:1])}
    return kept, moved, Findings.of(*_moved(secrets), *_shown(kept))


def _moved(secrets: Sequence[Argument]) -> list[Finding]:
    found: list[Finding] = []
    for argument in secrets:
        flag, count, variable = argument.flag, len(argument.values), SECRETS[argument.flag]
        remedy = f"set {variable}"
        if count > 1:  # vLLM's variable holds one key, and none may stay on the command line
            message = f"{flag} in {NAME} has {count} values; only the first is used"
            found.append(Remark(NAME, message, remedy))
        message = (
            f"the value of {flag} in {NAME} goes to the engine as {variable} instead: every process"
            " of the machine can read a command line"
        )
        found.append(Remark(NAME, message, remedy))
    return found


def _shown(kept: Arguments) -> list[Finding]:
    if not kept.given:
        return []
    text = shlex.join(masked(NAME, token) for token in kept.tokens)
    return [Applied(NAME, text, None, "extra-args")]
