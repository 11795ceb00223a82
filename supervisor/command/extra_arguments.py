"""VLLM_EXTRA_ARGS: what the user says to the engine in its own words. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from ..catalog import Catalog, Kind
from ..findings import Applied, Fault, Finding, Findings, Remark
from ..records import replace
from ..secrets import MASK, masked_tokens
from ..settings import table
from . import arguments, values
from .arguments import SECRETS, SEVERAL, Argument, Arguments
from .checks import speakers, unknown
from .checks.refusal import Refusal
from .values import words
from .values.remedies import Refused

NAME = table.VLLM_EXTRA_ARGS.name
_SEVERAL = {Kind.LIST, Kind.APPEND}
#: What names the model; every version refuses it beside the one that stands first.
_MODEL = {"--model", "--model-tag"}


def read(
    env: Mapping[str, str], catalog: Catalog | None, *, has_model: bool = True
) -> tuple[Arguments, Mapping[str, str], Findings]:
    """The extra arguments in `env`.

    Args:
        env: the worker's environment.
        catalog: what the engine accepts; only a complete one tells what it does not.
        has_model: whether the model stands on the command line already.

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
    others = [each for each in given if each.flag not in SECRETS]
    moved = arguments.moved(secrets)
    second = [each for each in others if has_model and each.flag in _MODEL]
    wrong: list[Finding] = [_second_model(each) for each in second]
    if catalog is not None and catalog.complete:
        refused = list(unknown.check(given, catalog, has_model=has_model))
        wrong += (_fault(each, refusal.value, refusal) for each, refusal in refused)
        read_here = [checked(each, catalog) for each in others]
        wrong += (
            _fault(each, " ".join(each.values), refusal)
            for each, refusal in read_here
            if refusal is not None
        )
        others = [each for each, _ in read_here]
    kept = Arguments(tuple(others))
    return kept, moved, Findings.of(*_moved(secrets), *_shown(kept), *wrong)


def checked(argument: Argument, catalog: Catalog) -> tuple[Argument, Refused | None]:
    """`argument` by the rule for variables, and what is wrong with its values."""
    option = catalog.option(argument.flag)
    if option is None or not argument.values or option.on:
        return argument, None
    try:
        if option.kind in _SEVERAL:
            values.check_items(option, argument.values)
            return argument, None
        (text,) = argument.values
        written = values.written(option, text)
    except Refused as refusal:
        torn = words.is_torn(argument.values[0])
        return argument, Refused(words.TORN, words.IN_QUOTES) if torn else refusal
    if written == text.strip():
        return argument, None
    tokens = (f"{argument.spelt}={written}",)
    return replace(argument, values=(written,), tokens=tokens), None


def _second_model(argument: Argument) -> Fault:
    name = table.MODEL_NAME.name
    text = " ".join(argument.values)
    remedy = f"take it out, or set {name}={text} instead" if text else "take it out"
    refusal = Refusal(text, f"is a second model: {name} names one already", remedy)
    return _fault(argument, text, refusal)


def _fault(argument: Argument, value: str, refusal: Refusal | Refused) -> Fault:
    reason = refusal.reason if isinstance(refusal, Refusal) else str(refusal)
    name, shown, sentence = speakers.of_extra(argument.spelt, value, reason)
    return Fault(name, shown, sentence, refusal.remedy or None)


def _moved(secrets: Sequence[Argument]) -> list[Finding]:
    found: list[Finding] = []
    for argument in secrets:
        flag, count, variable = argument.flag, len(argument.values), SECRETS[argument.flag]
        remedy = f"set {variable}"
        if count > 1 and flag not in SEVERAL:  # none may stay on the command line
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
    text = shlex.join(masked_tokens(kept.tokens))
    return [Applied(NAME, text, None, "extra-args")]
