"""Who is let into the engine: the gate before its server, the ports between its own processes.

And what is said of what stands open, and where nothing comes in. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...catalog import Catalog
from ...findings import Findings, Remark
from ...models.placement import OnDisk
from ...records import dataclass, field
from ...settings import values
from ...settings.keys import API_KEY
from ...settings.read import Settings
from ..arguments import Arguments
from . import among, gate, opened


@dataclass(frozen=True, slots=True)
class Doors:
    """The options that close doors, what the engine's environment says of them, what was found.

    `listener` is said of a plan that is carried out or shown: it is true of most.
    """

    tokens: tuple[str, ...] = ()
    engine_env: Mapping[str, str] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)
    listener: Remark | None = None


def read(
    env: Mapping[str, str],
    moved: Mapping[str, str],
    settings: Settings,
    catalog: Catalog | None,
    said: Arguments,
    disk: OnDisk,
) -> Doors:
    """The doors of an engine.

    Args:
        env: the worker's environment.
        moved: secrets that were written as options, by their variable; they win.
        settings: the worker's.
        catalog: what the engine accepts.
        said: the options that are on the command line already.
        disk: what VLLM_CONFIG_FILE sets, as `api-key`.
    """
    whole = {**env, **moved}
    taken, faults = values.take(whole, [API_KEY])
    keys = taken[API_KEY]
    told, tokens, found = gate.stand(env, keys, settings, catalog)
    # vLLM takes the text as one key, blanks around it included.
    first = next(iter(keys), "")
    if not faults and whole.get(API_KEY.name, first) != first:
        told = {API_KEY.name: first, **told}
    if catalog is not None:
        told = {**among.on_loopback(env, said, disk.configured), **told}
    of_file = tuple(gate.other_key(keys, settings, disk.turned_on))
    of_keys = (*gate.two_keys(env, moved), *of_file)
    of_open = (*opened.switches(whole, catalog, said, disk.turned_on), *of_keys)
    if tokens:
        of_open = (*of_open, *opened.past_the_gate(whole, said, disk.turned_on))
    # What a key in the file leaves open has been said, and VLLM_API_KEY is not what opens then.
    listener = None if faults or tokens or of_file else opened.listener(keys, settings)
    return Doors(tokens, told, Findings.of(*faults, *found, *of_open), listener)
