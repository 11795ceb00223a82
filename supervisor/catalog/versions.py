"""The catalogues that come with this package: real versions of vLLM, where none is installed."""

from __future__ import annotations

from pathlib import Path

from ..errors import BadArgument
from . import options
from .options import Catalog

FOLDER = Path(__file__).with_name("known")
_PREFIX = "vllm-"


def known() -> list[str]:
    """The versions of vLLM whose catalogues are here, the newest first."""
    names = [path.stem.removeprefix(_PREFIX) for path in FOLDER.glob(f"{_PREFIX}*.json")]
    return sorted(names, key=_numbers, reverse=True)


def load(version: str) -> Catalog:
    """The catalogue of `version`.

    Raises:
        BadArgument: it is none of those that are known.
        CatalogError: its file is damaged.
    """
    if version not in known():
        raise BadArgument(
            f"the options of vLLM {version or repr('')} are not known here; choose one of"
            f" {', '.join(known())}"
        )
    return options.load(FOLDER / f"{_PREFIX}{version}.json")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
