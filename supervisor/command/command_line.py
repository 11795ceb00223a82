"""What a user writes behind the image's name, as for vLLM's own image. Pure.

`--model X --max-model-len 4096`, `serve X --flag`, `vllm serve X`. What the worker reads from a
variable itself (the model, its revision, the configuration file) becomes that variable; the other
options go to the end of the command line. Both win over variables.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence

from ..catalog import Catalog, Kind
from ..findings import Applied, Fault, Finding, Findings, Ignored
from ..records import dataclass, field
from ..secrets import masked, masked_tokens
from ..settings import table
from .arguments import SECRETS, Argument, Arguments, moved, parse
from .checks import unknown
from .extra_arguments import checked
from .values.words import is_torn

NAME = "arguments"

#: Option -> the variables of the same meaning, of which the first is set.
_READ_HERE: Mapping[str, tuple[str, ...]] = {
    "--model": (table.MODEL_NAME.name,),
    "--config": (table.VLLM_CONFIG_FILE.name,),
    "--revision": ("MODEL_REVISION", "REVISION"),
    "--tokenizer": ("TOKENIZER_NAME", "TOKENIZER"),
    "--tokenizer-revision": ("TOKENIZER_REVISION",),
    "--download-dir": ("DOWNLOAD_DIR",),
}
_PYTHON = re.compile(r"(.*/)?python[\d.]*")
_MODULE = "vllm.entrypoints.openai.api_server"


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The environment in which what is read here is set, the options that are left, the secrets
    among them, which go to the engine in its environment, and what was found.
    """

    env: Mapping[str, str]
    options: Arguments = field(default_factory=Arguments)
    secrets: Mapping[str, str] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)


def parted(tokens: Sequence[str], commands: Collection[str]) -> tuple[list[str], list[str]]:
    """The worker's own arguments, and those for the engine.

    What follows `--` is for the engine, and so is all of it where it begins as a command line of
    vLLM's does. A single word may be a misspelt command, and stays.

    Args:
        tokens: as a shell has split them.
        commands: the worker's own, of which the first serves.
    """
    given = list(tokens)
    serve = next(iter(commands))
    if "--" in given:
        at = given.index("--")
        return given[:at] or [serve], given[at + 1 :]
    if given[:1] == [serve] and not {"-h", "--help"} & set(given):
        return [serve], given[1:]
    if given and given[0] not in commands and _is_for_the_engine(given):
        return [serve], given
    return given, []


def _is_for_the_engine(tokens: Sequence[str]) -> bool:
    first, second = tokens[0], next(iter(tokens[1:]), "")
    if first in {"-h", "--help", "--version"}:
        return False
    module = bool(_PYTHON.fullmatch(first)) and _MODULE in tokens[1:3]
    model = "/" in first or second.startswith("--")
    return module or first in {"vllm", "serve"} or first.startswith("-") or model


def read(tokens: Sequence[str], env: Mapping[str, str], catalog: Catalog | None) -> CommandLine:
    """What `tokens` say, as far as they are there."""
    if not tokens:
        return CommandLine(env)
    rest, faults = _without_the_program(tokens)
    words, options, secrets = _parted(parse(rest, catalog).given)
    set_here = dict(env)
    found: list[Finding] = list(faults)
    for flag, text in _for_variables(words, options):
        name, *others = _READ_HERE[flag]
        found += [
            Ignored(other, f"{flag} among the arguments wins")
            for other in (name, *others)
            if env.get(other, "").strip() not in {"", text}
        ]
        set_here.update(dict.fromkeys(others, ""))
        set_here[name] = text
    found += [
        Fault(NAME, word, f"{word} among the arguments belongs to no option", "remove it")
        for word in words[1:]
    ]
    left = [each for each in options if each.flag not in _READ_HERE]
    if catalog is not None and catalog.complete:
        for refused, refusal in unknown.check(options, catalog, has_model=True):
            found.append(_fault(refused, refusal.value, refusal.reason, refusal.remedy))
        for at, each in enumerate(left):
            left[at], wrong = checked(each, catalog)
            if wrong is not None:
                found.append(_fault(each, " ".join(each.values), str(wrong), wrong.remedy))
    text = shlex.join(masked_tokens((*words[:1], *Arguments(options).tokens)))
    if text:
        found.append(Applied(NAME, text, None, "arguments"))
    return CommandLine(set_here, Arguments(tuple(left)), secrets, Findings.of(*found))


def _fault(argument: Argument, value: str, reason: str, remedy: str) -> Fault:
    shown = masked(NAME, f"{argument.spelt}={value}" if value else argument.spelt)
    return Fault(NAME, shown, f"{shown} among the arguments {reason}", remedy or None)


def _without_the_program(tokens: Sequence[str]) -> tuple[Sequence[str], list[Fault]]:
    """Without `vllm serve` or what it was called before."""
    if _PYTHON.fullmatch(tokens[0]) and list(tokens[1:3]) == ["-m", _MODULE]:
        return tokens[3:], []
    if tokens[0] == "vllm":
        if list(tokens[1:2]) != ["serve"]:
            shown = shlex.join(tokens[:2])
            remedy = "give `vllm serve` and its options"
            return (), [Fault(NAME, shown, f"`{shown}` is nothing that this worker runs", remedy)]
        return tokens[2:], []
    return tokens[1:] if tokens[0] == "serve" else tokens, []


def _parted(
    given: Sequence[Argument],
) -> tuple[list[str], tuple[Argument, ...], Mapping[str, str]]:
    """Words that belong to no option, options, secrets by their variable."""
    words: list[str] = []
    torn = False  # whether what follows is the rest of a value that is told of as a whole
    for each in given:
        if each.flag:
            torn = any(is_torn(value) for value in each.values)
        elif not torn:
            words.append(each.values[0])
    options = tuple(each for each in given if each.flag and each.flag not in SECRETS)
    return words, options, moved(given)


def _for_variables(words: Sequence[str], options: Sequence[Argument]) -> list[tuple[str, str]]:
    said = [("--model", word) for word in words[:1]]
    return said + [
        (each.flag, each.values[0]) for each in options if each.flag in _READ_HERE and each.values
    ]


def overruled(said: Arguments, by: Arguments, catalog: Catalog | None) -> Arguments:
    """`said` without the options that `by` sets too."""
    flags = {each.flag for each in by.given} - _repeatable(catalog)
    return Arguments(tuple(each for each in said.given if each.flag not in flags))


def losing(found: Findings, by: Arguments, catalog: Catalog | None, where: str) -> Findings:
    """`found`, in which a variable that became an option of `by` has no effect.

    `where` is how the place of these is called: `among the arguments`.
    """
    if catalog is None or not by.given:
        return found
    flags = {each.flag for each in by.given} - _repeatable(catalog)
    kept, lost = [], []
    for row in found.applied:
        option = catalog.option((row.flag or "").partition("=")[0])
        if option is not None and option.flag in flags and row.env != NAME:
            lost.append(Ignored(row.env, f"{option.flag} {where} wins"))
        else:
            kept.append(row)
    return Findings(tuple(kept), (*found.ignored, *lost), found.warnings, found.errors)


def _repeatable(catalog: Catalog | None) -> set[str]:
    known = catalog.options if catalog else ()
    return {option.flag for option in known if option.kind is Kind.APPEND}
