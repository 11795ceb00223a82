"""Environment variables -> options of `vllm serve`, by the generic rule.

Pure: a mapping and a catalogue in, tokens and findings out. Every variable that is the upper-case
name of an option of the catalogue becomes that option, unless its name is guarded. No list of
options is here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..catalog import Catalog, Kind, Option
from ..findings import Applied, Fault, Finding, Findings, Guarded, Kept, Remark, not_passed_on
from ..records import dataclass
from ..secrets import is_secret, masked
from ..settings.parsers import boolean
from . import values
from .legacy import Origin, Rewritten
from .successors import successor

_BY_THE_SHELL = "a shell, container or cluster sets this name for its own reasons"
_SECRET = "a secret stays in the environment, where the engine reads it"

#: Names that must not become options by accident -> why.
GUARDED: Mapping[str, str] = {
    **dict.fromkeys(
        """
        LOG_LEVEL UDS GRPC HEADLESS ROOT_PATH MIDDLEWARE SSL_KEYFILE SSL_CERTFILE SSL_CA_CERTS
        SSL_CERT_REQS SSL_CIPHERS MASTER_ADDR MASTER_PORT NODE_RANK NNODES RUNNER TASK
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
    "VLLM_API_KEY": _SECRET,
    "DEVICE": "vLLM finds its device by itself",
}


def translate(
    rewritten: Rewritten,
    catalog: Catalog,
    *,
    given: Mapping[str, str],
    taken: Collection[str],
    strict: bool = False,
) -> tuple[tuple[str, ...], Findings]:
    """The tokens that an environment stands for, in the order of the variables' names.

    Args:
        rewritten: the environment in the names that the catalogue has.
        catalog: what this version accepts.
        given: the environment as the user wrote it, for what is shown.
        taken: names that mean something else to the worker.
        strict: whether an option of other versions is an error.
    """
    said: dict[str, list[_Said]] = {}
    found: list[Finding] = []
    for name in sorted(rewritten.env):
        if name in taken or not rewritten.text(name):
            continue
        read = _read(name, rewritten, catalog, given, strict=strict)
        if isinstance(read, _Said):
            said.setdefault(read.option.flag, []).append(read)
        elif read is not None:
            found.append(read)
    tokens: tuple[str, ...] = ()
    for same in said.values():
        first, *others = sorted(same, key=lambda each: each.rank)
        found += _contradictions(first, others)
        if not first.tokens and not catalog.complete:
            found += [not_passed_on(variable) for variable in first.origin.variables]
            continue
        tokens += first.tokens
        found += _applied(first, others, given)
    return tokens, Findings.of(*found)


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


def _read(
    name: str, rewritten: Rewritten, catalog: Catalog, given: Mapping[str, str], *, strict: bool
) -> _Said | Finding | None:
    """One variable: what it says of an option, or why it does not; None if it is none of ours."""
    known = catalog.by_variable.get(name)
    origin = rewritten.origins.get(name, Origin((name,), "option"))
    reason = guard(name, known and known[0]) if origin.source == "option" else None
    if reason is not None and (known is not None or name in GUARDED):
        return (Kept if reason == _SECRET else Guarded)(name, reason)
    text = rewritten.env[name]
    if known is not None:
        option, spelling = known
        try:
            return _Said(name, option, origin, spell(option, spelling, text))
        except ValueError as refusal:
            variable = origin.variables[-1]
            shown = masked(variable, given.get(variable, ""))
            remedy = getattr(refusal, "remedy", "") or None
            return Fault(variable, shown, f"{variable}={shown} {refusal}", remedy)
    return _not_here(name, text, catalog, strict=strict) if name in catalog.elsewhere else None


def _not_here(name: str, text: str, catalog: Catalog, *, strict: bool) -> Finding | None:
    """A variable that is an option of other versions. Short names mean too many other things."""
    if not catalog.complete:
        return not_passed_on(name)
    if "_" not in name:
        return None
    message = f"{name} has no effect: vLLM {catalog.version} has no such option"
    today = successor(name, text, catalog)
    remedy = f"set {today}" if today else "unset it, or use a version that has it"
    if strict:
        return Fault(name, masked(name, text), message, remedy)
    return Remark(name, message, remedy)


def _contradictions(first: _Said, others: Sequence[_Said]) -> list[Finding]:
    """Of several variables that speak of one option, the first one counts."""
    winner = first.origin.variables[-1]
    names = [other.origin.variables[-1] for other in others if other.tokens != first.tokens]
    return [
        Remark(name, f"{winner} and {name} differ; {winner} is used", f"set only {winner}")
        for name in names
    ]


def _applied(first: _Said, others: Sequence[_Said], given: Mapping[str, str]) -> list[Finding]:
    """A row for each variable that says what counts."""
    found: list[Finding] = []
    for said in (first, *(other for other in others if other.tokens == first.tokens)):
        flag = said.tokens[0].partition("=")[0] if said.tokens else said.option.flag
        note = said.origin.note if said.tokens else "the engine's default; no option is needed"
        for name in said.origin.variables:
            shown = masked(name, given.get(name, ""))
            found.append(Applied(name, shown, flag, said.origin.source, note))
    return found


def guard(name: str, option: Option | None = None) -> str | None:
    """Why a variable of this name does not become an option; None where it may.

    A switch or a number is no secret, whatever its name ends with (ALLOW_CREDENTIALS).
    """
    text = option is None or (not option.on and "int" not in option.type)
    reason = GUARDED.get(name) or (_SECRET if text and is_secret(name) else None)
    if reason is None or reason == _SECRET or option is None:
        return reason
    return f"{reason}; to set the option anyway, use VLLM_EXTRA_ARGS"


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
            return (f"{option.flag}={values.written(option, text)}",)
