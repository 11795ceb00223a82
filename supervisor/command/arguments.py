"""A command line as a list of options, read once by what the catalogue knows of them. Pure.

Options are told apart as argparse and vLLM's own parser do it: `_` for `-`, names cut short, values
behind `=` or in the tokens that follow. How many tokens follow is what the catalogue knows: a
switch takes none. Without a catalogue an option takes whatever follows that is no option itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..catalog import Catalog, Kind
from ..records import dataclass

#: Options whose value is a secret -> the variable in which the engine reads it.
SECRETS: Mapping[str, str] = {"--api-key": "VLLM_API_KEY", "--hf-token": "HF_TOKEN"}
#: Those of which there may be several, parted by commas in the variable.
SEVERAL = frozenset({"--api-key"})

#: What the worker itself reads from a command line, also where the engine's options are not known.
_READ_HERE = (
    "--host", "--port", "--uds", "--ssl-certfile", "--ssl-keyfile", "--served-model-name",
    "--shutdown-timeout", "--revision", "--download-dir",
)  # fmt: skip
_SHORTEST_PREFIX = 5  # characters of such an option or of a secret's, however it is cut short
_SWITCHES = {Kind.BOOL_PAIR, Kind.STORE_TRUE, Kind.STORE_FALSE, Kind.STORE_CONST, Kind.COUNT}
_NUMBER = re.compile(r"-(\d+|\d*\.\d+)")


@dataclass(frozen=True, slots=True)
class Argument:
    """One option as it was given, or a word that belongs to none: its `flag` is empty.

    `spelt` is what the user wrote, `flag` the option's own name, `tokens` the whole of it on the
    command line.
    """

    spelt: str
    flag: str
    values: tuple[str, ...]
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arguments:
    """Options in the order of a command line; of one that is given twice the last one counts."""

    given: tuple[Argument, ...] = ()

    def __add__(self, later: Arguments) -> Arguments:
        return Arguments(self.given + later.given)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The command line."""
        return tuple(token for argument in self.given for token in argument.tokens)

    def last(self, flag: str) -> Argument | None:
        """The argument that counts for this option; None where it is not given."""
        return next((each for each in reversed(self.given) if each.flag == flag), None)

    def value(self, flag: str) -> str | None:
        """The option's first value; empty where it has none, None where it is not given."""
        argument = self.last(flag)
        return None if argument is None else next(iter(argument.values), "")


def parse(tokens: Sequence[str], catalog: Catalog | None) -> Arguments:
    """Read a command line, from its first option on.

    Args:
        tokens: as a shell has split them.
        catalog: what the engine accepts; None where it cannot be asked.
    """
    given = []
    at = 0
    while at < len(tokens):
        argument = _argument(tokens, at, catalog)
        given.append(argument)
        at += len(argument.tokens)
    return Arguments(tuple(given))


def moved(given: Sequence[Argument]) -> Mapping[str, str]:
    """The secrets among `given` by the variable in which they go to the engine."""
    return {
        SECRETS[each.flag]: ",".join(each.values if each.flag in SEVERAL else each.values[:1])
        for each in given
        if each.flag in SECRETS and any(each.values[:1])
    }


def _argument(tokens: Sequence[str], at: int, catalog: Catalog | None) -> Argument:
    token = tokens[at]
    if not _is_option(token):
        return Argument("", "", (token,), (token,))
    spelt, equals, value = token.partition("=")
    flag = _full_flag(spelt, catalog)
    if equals:
        return Argument(spelt, flag, (value,), (token,))
    end = at + 1
    most = _most_values(flag, catalog)
    while end < len(tokens) and end - at <= most and not _is_option(tokens[end]):
        end += 1
    return Argument(spelt, flag, tuple(tokens[at + 1 : end]), tuple(tokens[at:end]))


def _is_option(token: str) -> bool:
    """As argparse tells it: a number below 0 is none, nor is a text with a space."""
    name = token.partition("=")[0]
    return len(token) > 1 and name[:1] == "-" and " " not in name and not _NUMBER.fullmatch(token)


def _full_flag(spelt: str, catalog: Catalog | None) -> str:
    """The option's own name: argparse takes `--api_k` for --api-key."""
    name = spelt.replace("_", "-")
    known = catalog.by_flag if catalog else {}
    if name in known:
        return known[name].flag
    if not name.startswith("--") or name in _READ_HERE:
        return name
    meant = {option.flag for spelling, option in known.items() if spelling.startswith(name)}
    long_enough = len(name) >= _SHORTEST_PREFIX
    if long_enough and (catalog is None or not catalog.complete):
        meant |= {flag for flag in _READ_HERE if flag.startswith(name)}
    if len(meant) == 1:
        return meant.pop()
    # Better too many than one on a command line that every process of the machine can read.
    secret = [flag for flag in SECRETS if long_enough and flag.startswith(name)]
    return secret[0] if secret else name


def _most_values(flag: str, catalog: Catalog | None) -> float:
    """How many of the tokens behind an option can be its values."""
    option = catalog.option(flag) if catalog else None
    if option is None or option.kind is Kind.LIST or flag in SECRETS:  # no key is to be left over
        return float("inf")
    return 0 if option.kind in _SWITCHES else 1
