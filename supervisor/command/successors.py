"""What took the place of an option that this vLLM has not. Pure.

Most of it stands in the catalogue: the other half of a pair (`--disable-x`, `--enable-x`), and the
fields that an option's JSON value has by default. The rest is a short table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ..catalog import Catalog, Kind, Option
from ..decoding import json_of
from ..settings.parsers import boolean

_ENABLE, _DISABLE, _NO = "ENABLE_", "DISABLE_", "NO_"

#: Variable that left -> the one that stands for it now, as a user would set it.
_RENAMED: Mapping[str, str] = {
    "CUDA_GRAPH_SIZES": "CUDAGRAPH_CAPTURE_SIZES",
    "OVERRIDE_POOLER_CONFIG": "POOLER_CONFIG",
    "LOGITS_PROCESSOR_PATTERN": "LOGITS_PROCESSORS",
    "ENABLE_MULTIMODAL_ENCODER_DATA_PARALLEL": "MM_ENCODER_TP_MODE=data",
    "DISABLE_MM_PREPROCESSOR_CACHE": "MM_PROCESSOR_CACHE_GB=0",
}
#: Options whose fields were options once, under another first word than the option has.
_FAMILIES: Mapping[str, str] = {
    "GUIDED_DECODING": "STRUCTURED_OUTPUTS",
    "SPECULATIVE_MODEL": "SPECULATIVE",
}
#: Fields that a default does not show: vLLM's speculative configuration is None by default.
_UNSHOWN: Mapping[str, frozenset[str]] = {"SPECULATIVE_CONFIG": frozenset({"quantization"})}
_FIELD = r"(?:[(,{]\s*)['\"]?([a-z][a-z0-9_]*)['\"]?\s*[=:]"  # compiled where it is needed


def successor(name: str, text: str, catalog: Catalog) -> str | None:
    """What to set in place of the variable `name`, which says `text`, as a user would write it.

    None where nothing is known to stand for it.
    """
    return (
        _other_half(name, text, catalog) or _renamed(name, catalog) or _field(name, text, catalog)
    )


def _other_half(name: str, text: str, catalog: Catalog) -> str | None:
    for head, other in ((_DISABLE, _ENABLE), (_ENABLE, _DISABLE), (_DISABLE, ""), (_NO, "")):
        rest = name.removeprefix(head)
        known = catalog.by_variable.get(other + rest)
        if rest != name and known is not None and known[0].kind is Kind.BOOL_PAIR:
            return f"{other}{rest}{_opposite(text)}"
    return None


def _opposite(text: str) -> str:
    try:
        return f"={str(not boolean(text)).lower()}"
    except ValueError:
        return ""


def _renamed(name: str, catalog: Catalog) -> str | None:
    today = _RENAMED.get(name, "")
    return today if today.partition("=")[0] in catalog.by_variable else None


def _field(name: str, text: str, catalog: Catalog) -> str | None:
    """EPLB_WINDOW_SIZE is window_size in EPLB_CONFIG, NUM_REDUNDANT_EXPERTS has its own name."""
    for option in catalog.options:
        if option.kind is not Kind.JSON or not option.env.endswith("_CONFIG"):
            continue
        family = option.env.removesuffix("_CONFIG")
        heads = [family, *(old for old, new in _FAMILIES.items() if new == family)]
        told = {name, *(name.removeprefix(f"{head}_") for head in heads)}
        for field in sorted(_fields(option)):
            if field.upper() in told and ("_" in field or field.upper() != name):
                return f"{option.env}={json.dumps({field: _value(text)})}"
    return None


def _value(text: str) -> object:
    """As JSON has it: a number, a boolean, else the text."""
    try:
        return json_of(text.strip().lower())
    except ValueError:
        return text.strip()


def _fields(option: Option) -> set[str]:
    shown = set(re.findall(_FIELD, str(option.default))) if option.default else set()
    return shown | _UNSHOWN.get(option.env, frozenset())
