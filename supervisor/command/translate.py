"""Environment variables -> options of `vllm serve`, by the generic rule.

Pure: a mapping and a catalogue in, arguments out. Every variable that is the upper-case name of an
option of the catalogue becomes that option, unless its name is guarded. No list of flags is here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..catalog import Catalog, Kind, Option
from ..findings import Fault, Findings, Ignored, Remark, Setting, unsayable
from ..secrets import is_secret, masked
from ..settings.parsers import boolean
from . import values
from .legacy import Origin, Rewritten

_BY_THE_SHELL = "a shell, container or cluster sets this name for its own reasons"
_SECRET = "a secret stays in the environment, where the engine reads it"

#: Names that must not become options by accident -> why.
GUARDED: Mapping[str, str] = {
    **dict.fromkeys(
        """
        LOG_LEVEL UDS GRPC HEADLESS ROOT_PATH MIDDLEWARE SSL_KEYFILE SSL_CERTFILE SSL_CA_CERTS
        SSL_CERT_REQS SSL_CIPHERS MASTER_ADDR MASTER_PORT NODE_RANK NNODES RUNNER TASK DEVICE
        """.split(),
        _BY_THE_SHELL,
    ),
    "HOST": "the worker's mode decides which address the engine listens on",
    "PORT": "the worker's mode decides which port the engine listens on",
    "CONFIG": f"{_BY_THE_SHELL}; VLLM_CONFIG_FILE names the engine's configuration file",
    "MODEL": f"{_BY_THE_SHELL}; MODEL_NAME names the model",
    "MODEL_TAG": f"{_BY_THE_SHELL}; MODEL_NAME names the model",
    "API_KEY": f"{_BY_THE_SHELL}; VLLM_API_KEY sets the key that clients need",
    "HF_TOKEN": _SECRET,
}


def translate(
    rewritten: Rewritten,
    catalog: Catalog,
    findings: Findings,
    *,
    given: Mapping[str, str],
    taken: Collection[str],
    strict: bool = False,
) -> list[str]:
    """The tokens that an environment stands for, in the order of the variables' names.

    Args:
        rewritten: the environment in the names that the catalogue has.
        catalog: what this version accepts.
        findings: what was found is added here.
        given: the environment as the user wrote it, for what is shown.
        taken: names that mean something else to the worker.
        strict: whether an option of other versions is an error.
    """
    said: dict[str, list[_Said]] = {}
    for name in sorted(rewritten.env):
        text = rewritten.env[name]
        if name in taken or not text.strip():
            continue
        known = catalog.by_variable.get(name)
        origin = rewritten.origins.get(name, Origin((name,), "option"))
        reason = guard(name, known and known[0]) if origin.source == "option" else None
        if reason is not None and (known is not None or name in GUARDED):
            findings.ignored.append(Ignored(name, reason))
        elif known is not None:
            option, spelling = known
            try:
                tokens = spell(option, spelling, text)
            except ValueError as refusal:
                findings.errors.append(_fault(origin, given, str(refusal)))
                continue
            said.setdefault(option.flag, []).append(_Said(name, option, origin, tokens))
        elif name in catalog.elsewhere:
            _not_here(name, text, catalog, findings, strict=strict)
    return [token for same in said.values() for token in _one(same, catalog, findings, given)]


@dataclass(frozen=True, slots=True)
class _Said:
    """What one variable says of an option."""

    name: str
    option: Option
    origin: Origin
    tokens: tuple[str, ...]

    @property
    def rank(self) -> tuple[bool, bool]:
        """Old names win, as they always did; then the option's own."""
        return self.origin.source == "option", self.name != self.option.env


def _one(
    same: Sequence[_Said], catalog: Catalog, findings: Findings, given: Mapping[str, str]
) -> tuple[str, ...]:
    """The tokens of an option of which one variable or several speak: one of them counts."""
    first, *others = sorted(same, key=lambda said: said.rank)
    winner = first.origin.variables[-1]
    for other in others:
        if other.tokens != first.tokens:
            name = other.origin.variables[-1]
            message = f"{winner} and {name} differ; {winner} is used"
            findings.warnings.append(Remark(name, message, f"set only {winner}"))
    if not first.tokens and not catalog.complete:
        findings.warnings += [unsayable(variable) for variable in first.origin.variables]
        return ()
    for said in (first, *(other for other in others if other.tokens == first.tokens)):
        flag = said.tokens[0].partition("=")[0] if said.tokens else said.option.flag
        note = said.origin.note if said.tokens else "the engine's default; no option is needed"
        findings.settings += [
            Setting(name, masked(name, given.get(name, "")), flag, said.origin.source, note)
            for name in said.origin.variables
        ]
    return first.tokens


def _not_here(name: str, text: str, catalog: Catalog, findings: Findings, *, strict: bool) -> None:
    """A variable that is an option of other versions. Short names mean too many other things."""
    if not catalog.complete:
        findings.warnings.append(unsayable(name))
    elif "_" in name:
        message = f"{name} has no effect: vLLM {catalog.version} has no such option"
        remedy = "unset it, or use a version that has it"
        if strict:
            findings.errors.append(Fault(name, masked(name, text), message, remedy))
        else:
            findings.warnings.append(Remark(name, message, remedy))


def _fault(origin: Origin, given: Mapping[str, str], refusal: str) -> Fault:
    name = origin.variables[-1]
    shown = masked(name, given.get(name, ""))
    return Fault(name, shown, f"{name}={shown} {refusal}")


def guard(name: str, option: Option | None = None) -> str | None:
    """Why a variable of this name does not become an option; None where it may.

    A switch or a number is no secret, whatever its name ends with (ALLOW_CREDENTIALS).
    """
    text = option is None or (not option.on and "int" not in option.type)
    reason = GUARDED.get(name) or (_SECRET if text and is_secret(name) else None)
    if reason is None or reason == _SECRET:
        return reason
    return f"{reason}; to set the option all the same, use VLLM_EXTRA_ARGS"


def spell(option: Option, spelling: str, text: str) -> tuple[str, ...]:
    """`option` with the value `text` as tokens of a command line; empty for what is the default.

    `spelling` is the one that the variable's name stands for: with `--no-x` or `--disable-x`,
    `true` means off.

    Raises:
        ValueError: what is accepted instead, as the end of a sentence.
    """
    match option.kind:
        case Kind.BOOL_PAIR:
            wanted = boolean(text) is not (spelling in option.off)
            return (option.on[0] if wanted else option.off[0],)
        case Kind.STORE_TRUE | Kind.STORE_FALSE | Kind.STORE_CONST | Kind.COUNT:
            return (spelling,) if boolean(text) else ()
        case Kind.BOOL_VALUE:
            return (f"{option.flag}={str(boolean(text)).lower()}",)
        case Kind.LIST:
            return (option.flag, *values.items(option, text))
        case Kind.APPEND:
            return tuple(f"{option.flag}={item}" for item in values.items(option, text))
        case _:
            values.check(option, text.strip())
            return (f"{option.flag}={text.strip()}",)
