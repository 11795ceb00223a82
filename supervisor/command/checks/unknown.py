"""Options of VLLM_EXTRA_ARGS that this vLLM does not have, and words that belong to none. Pure.

Told apart as argparse and vLLM's own parser do it: `_` for `-`, names cut short where that is
unique, `-qawq` and `-O3` for an option of one letter with its value, `--option.field` for JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...catalog import Catalog, Kind
from ...catalog.options import variable
from .. import legacy
from ..arguments import SECRETS, Argument
from ..successors import successor
from ..values.words import is_torn
from .refusal import Refusal

_LEVEL = "-O"  # of --optimization-level: no alias in the parser, but read by its class
_SHORT = 2  # characters of an option like -q, behind which a value may stand without a blank
_SWITCHES = {Kind.BOOL_PAIR, Kind.STORE_TRUE, Kind.STORE_FALSE, Kind.STORE_CONST, Kind.COUNT}
_NEEDS_ONE = {Kind.VALUE, Kind.JSON, Kind.JSON_OR_STR, Kind.BOOL_VALUE, Kind.LIST, Kind.APPEND}


def check(
    given: Sequence[Argument], catalog: Catalog, *, has_model: bool
) -> Iterator[tuple[Argument, Refusal]]:
    """What the engine's parser refuses of a command line as a whole.

    Args:
        given: what was said in VLLM_EXTRA_ARGS.
        catalog: what the engine accepts; it has to be a complete one.
        has_model: whether the model stands on the command line already; else one word may be it.
    """
    words = 0 if has_model else 1
    before: Argument | None = None
    for argument in given:
        if not argument.spelt:
            if before is not None and any(is_torn(value) for value in before.values):
                continue  # the rest of a value, which is told of as a whole
            words -= 1
            if words < 0:
                yield argument, _left_over(argument, before)
            continue
        if argument.flag not in SECRETS:
            reasons = list(_wrong(argument, catalog))
            yield from ((argument, reason) for reason in reasons)
        before = argument


def _left_over(argument: Argument, before: Argument | None) -> Refusal:
    (word,) = argument.tokens
    if before is None:
        return Refusal(word, "belongs to no option", "take it out")
    most = "one value" if before.values else "no value"
    remedy = f"{before.spelt} takes {most}: take the word out"
    return Refusal(word, "belongs to no option", remedy)


def _wrong(argument: Argument, catalog: Catalog) -> Iterator[Refusal]:
    option = catalog.option(argument.flag)
    if option is None:
        if (refusal := _unknown(argument, catalog)) is not None:
            yield refusal
    elif option.kind in _SWITCHES and argument.values:
        yield Refusal(argument.values[0], "is a value, and the option takes none", "take it out")
    elif option.kind in _NEEDS_ONE and not argument.values:
        yield Refusal("", "has no value", "give it one, or take the option out")


def _unknown(argument: Argument, catalog: Catalog) -> Refusal | None:
    name, dot, _ = argument.spelt.partition(".")
    if dot and not catalog.features.get("dotted_json", True):
        return _no_option(argument, catalog)
    name = name.replace("_", "-") if name.startswith("--") else name
    if name in catalog.by_flag:
        return None
    if not name.startswith("--"):
        return None if _short(name, catalog) else _no_option(argument, catalog)
    meant = {
        option.flag for spelling, option in catalog.by_flag.items() if spelling.startswith(name)
    }
    if not meant or not catalog.features.get("abbrev", True):
        return _no_option(argument, catalog)
    if len(meant) == 1:
        return None
    which = ", ".join(sorted(meant)[:5]) + (", ..." if len(meant) > 5 else "")
    return Refusal("", f"may be any of {which}", "write the one that is meant")


def _short(name: str, catalog: Catalog) -> bool:
    """`-qawq` where there is -q, and `-t`, the beginning of -tp."""
    if name.startswith(_LEVEL) and catalog.option("--optimization-level"):
        return True
    aliases = [spelling for spelling in catalog.by_flag if not spelling.startswith("--")]
    return any(
        spelling.startswith(name) or (len(spelling) == _SHORT and name.startswith(spelling))
        for spelling in aliases
    )


def _no_option(argument: Argument, catalog: Catalog) -> Refusal:
    return Refusal("", f"is no option of vLLM {catalog.version}", _remedy(argument, catalog))


def _remedy(argument: Argument, catalog: Catalog) -> str:
    name = argument.spelt.partition(".")[0].replace("_", "-")
    if today := _today(variable(name), argument.values, catalog):
        return f"take it out, and set {today}"
    if variable(name) in catalog.elsewhere:
        return "take it out, or use a version that has it"
    import difflib  # only now: most starts have nothing to compare, and need not wait for it

    known = [spelling for spelling in catalog.by_flag if spelling.startswith("--")]
    alike = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"did you mean {alike[0]}?" if alike else "take it out"


def _today(name: str, values: Sequence[str], catalog: Catalog) -> str | None:
    """The variable that means in this version what the option meant in others."""
    if legacy.carries(name, catalog):
        return name
    return successor(name, " ".join(values) or "true", catalog)
