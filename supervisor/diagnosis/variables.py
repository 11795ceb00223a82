"""Which variables an error of the engine is about: it speaks of options and fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..catalog import release
from .known import is_configured

_UNKNOWN = "the variable that sets it"
#: MAX_MODEL_LEN=auto: the longest context that memory has room for.
_AUTO_SINCE = (0, 14)


def beside(
    said: Mapping[str, str], configured: Sequence[str], version: str | None
) -> dict[str, str]:
    """What the sentences of a rule may name besides what it quotes; see `rules.Rule`.

    Args:
        said: what it quotes.
        configured: the engine's arguments.
        version: vLLM's.
    """
    option, field, why = (said.get(name, "") for name in ("option", "field", "why"))
    about = f"{field} {why} {_snake(said.get('owner', ''))}".lstrip()
    number = release.number(version)
    known = is_configured(option, configured)
    return {
        "variable": of_option(option) if known else named(about, configured),
        "auto": ", to auto" if number >= _AUTO_SINCE else "",
    }


def named(words: str, configured: Sequence[str]) -> str:
    """The variables of the options on the command line that `words` speak of.

    Args:
        words: what the engine said, and the field that it said it of.
        configured: the engine's arguments.

    Returns:
        `MAX_NUM_SEQS` or `MAX_NUM_SEQS or BLOCK_SIZE`, for a sentence; in general words where none
        of them is on the command line.
    """
    found = []
    for argument in configured:
        flag = re.match(r"--(?:no-)?([a-z0-9][\w-]*)", argument)
        name = flag[1].replace("-", "_") if flag else ""
        # A single word such as `dtype` or `model` may be there for another reason.
        if name and ("_" in name or words.startswith(name)) and _speaks_of(words, name):
            found.append(of_option(name))
    return " or ".join(dict.fromkeys(found)) or _UNKNOWN


def of_option(name: str) -> str:
    """`--max-model-len` -> `MAX_MODEL_LEN`."""
    return name.lstrip("-").replace("-", "_").upper()


def _speaks_of(words: str, name: str) -> bool:
    pattern = re.escape(name).replace("_", "[ _-]")
    return re.search(rf"(?<![\w-]){pattern}(?![\w-])", words) is not None


def _snake(name: str) -> str:
    """`KVTransferConfig`, a class of vLLM's, -> `kv_transfer_config`, whose option makes one."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
