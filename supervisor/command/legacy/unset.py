"""The literal `None`: older workers took it as "not set", and templates carry it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ...catalog import Catalog
from ...findings import Findings, Ignored
from ...settings.parsers import is_none
from ...settings.table import WORKER_VARIABLES
from .table import names

REASON = "None means not set"
#: Variables of the engine and its libraries; their own readers would take the word for a value.
_PREFIXES = ("VLLM_", "HF_", "HUGGING_FACE_")


def without_none(
    env: Mapping[str, str], catalog: Catalog | None
) -> tuple[Mapping[str, str], Findings]:
    """`env` without the variables that say `None`, in any case of its letters.

    A variable of an option that has `none` among its choices keeps it, as that choice is spelt.

    Args:
        env: the worker's environment.
        catalog: what the engine accepts; None where it cannot be asked.
    """
    empty = [name for name, text in env.items() if is_none(text) and _is_known(name, catalog)]
    if not empty:
        return env, Findings()
    chosen = {name: choice for name in empty if (choice := _choice(name, catalog)) is not None}
    gone = [name for name in empty if name not in chosen]
    kept = {name: text for name, text in env.items() if name not in gone}
    return {**kept, **chosen}, Findings.of(*(Ignored(name, REASON) for name in sorted(gone)))


def _is_known(name: str, catalog: Catalog | None) -> bool:
    if name in WORKER_VARIABLES or name in names() or name.startswith(_PREFIXES):
        return True
    return catalog is not None and (name in catalog.by_variable or name in catalog.elsewhere)


def _choice(name: str, catalog: Catalog | None) -> str | None:
    """The option's choice that is called so; a capital None there is vLLM's own "not set"."""
    known = catalog.by_variable.get(name) if catalog else None
    choices = [str(choice) for choice in known[0].choices] if known else []
    return next((word for word in choices if word != "None" and is_none(word)), None)
