"""Finds variables that are meant as a setting and are none: misspelt, abbreviated, or called so
elsewhere. Pure.

A container's environment is full of names that are nobody's business; a warning about one of them
is worse than none. What belongs to others is known by `others`, other products' names for our
settings by `strangers`; every name that is left is held against the known ones by `nearest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...catalog import Catalog
from ...findings import Fault, Finding, Findings, Remark
from ...secrets import MASK
from ...settings.table import WORKER_VARIABLES
from .. import legacy
from . import nearest, others, strangers

_PREFIX = "VLLM_"


def known(catalog: Catalog) -> frozenset[str]:
    """Every variable that is an option, an old name or a setting of the worker."""
    return frozenset({*catalog.by_variable, *catalog.elsewhere, *legacy.names(), *WORKER_VARIABLES})


def everything(catalog: Catalog) -> frozenset[str]:
    """`known`, and what the engine and the hub's client read from the environment themselves."""
    return known(catalog) | catalog.environment | catalog.environment_elsewhere | others.HUB


def misspelt(env: Mapping[str, str], catalog: Catalog, *, strict: bool) -> Findings:
    """Names that are meant as a setting: a warning each, under STRICT_ENV an error each.

    Args:
        env: the variables that are set.
        catalog: what means something to this version.
        strict: STRICT_ENV.
    """
    given = {
        name
        for name, text in env.items()
        if text.strip() and not others.is_of_a_cluster(name, text)
    }
    nothing = "is not a setting of the worker"
    nothing += f" or of vLLM {catalog.version}" if catalog.complete else " or of vLLM"
    found: list[Finding] = []
    for name, stranger in strangers.among(env, known(catalog)).items():
        found.append(_wrong(name, f"{name} {stranger.why}", stranger.remedy, strict=strict))
        given.discard(name)
    for name in sorted(given & catalog.environment_elsewhere - known(catalog)):
        if others.is_theirs(name) or not name.startswith(_PREFIX):
            continue
        message = f"{name} has no effect: vLLM {catalog.version} does not read it"
        option = name.removeprefix(_PREFIX)
        remedy = f"set {option}" if option in catalog.by_variable else "unset it"
        found.append(Remark(name, message, remedy))
    for name, meant in sorted(suspects(given, catalog).items()):
        found.append(_wrong(name, f"{name} {nothing}", f"did you mean {meant}?", strict=strict))
    return Findings.of(*found)


def suspects(names: Iterable[str], catalog: Catalog) -> dict[str, str]:
    """Each name that looks like a misspelt one -> the one that is meant.

    Args:
        names: the variables that are set.
        catalog: what means something to this version.
    """
    ours = known(catalog)
    told = everything(catalog) | strangers.NAMES
    unknown = [name for name in names if name not in told and not others.is_theirs(name)]
    prefixed = {
        name: meant
        for name in unknown
        if (meant := strangers.without_prefix(name, catalog.by_variable, ours)) is not None
    }
    if not set(unknown) - prefixed.keys():
        return prefixed
    engines = catalog.environment | catalog.environment_elsewhere
    candidates = {each for each in engines if each.startswith(_PREFIX)} | ours | others.HUB
    return nearest.meant(set(unknown) - prefixed.keys(), candidates) | prefixed


def _wrong(name: str, message: str, remedy: str, *, strict: bool) -> Finding:
    # The value says nothing here, and may be a secret under a misspelt name.
    return Fault(name, MASK, message, remedy) if strict else Remark(name, message, remedy)
