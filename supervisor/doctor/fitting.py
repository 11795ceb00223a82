"""Whether a plan's weights fit into the GPUs: looks for their bytes and for the GPUs' memory.

What cannot be found out in a few seconds is not known, and then nothing is said.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from ..command import plan as planned
from ..command.plan import Plan
from ..findings import Fault, Findings, Remark
from ..machine import memory
from ..models import fit, weights
from ..models.demand import GIB
from ..models.fit import Fit, Weights
from ..models.hub import cached, is_set, weights_folder, whole
from ..models.placement import Name
from ..models.weights import Format
from ..settings import table

_WITHIN = 5.0  # seconds for each request to the hub


def at_start(made: Plan, env: Mapping[str, str]) -> Fit | None:
    """As `look`, for a start on this machine: its GPUs know their size best."""
    size = _of_this_machine(made) or _said(made)
    return look(made, env, size) if size else None


def answer() -> None:
    """Read a pickled plan and environment from standard input, and print as JSON what fits.

    Run as a process of its own by `worker.engine.fit`.
    """
    made, env = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our parent
    found = at_start(made, env)
    sys.stdout.write(json.dumps(None if found is None else asdict(found)))


def ahead(made: Plan, env: Mapping[str, str], seen: int = 0) -> Fit | None:
    """As `look`, for a plan that may be meant for another machine: GPU_MEMORY_GB counts first.

    `seen`: bytes of this machine's GPU, where the caller knows them; else the driver is asked.
    """
    size = _said(made) or seen or _of_this_machine(made)
    return look(made, env, size) if size else None


def checked(made: Plan, env: Mapping[str, str]) -> Plan:
    """`made` with what `ahead` has against it, as a finding about MODEL_NAME."""
    found = None if made.findings.errors else ahead(made, env)
    if found is None or found.fits:
        return made
    name = table.MODEL_NAME.name
    more = (
        Fault(name, made.model or "", found.message, found.remedy)
        if found.cannot
        else Remark(name, found.message, found.remedy)
    )
    return replace(made, findings=made.findings + Findings.of(more))


def look(made: Plan, env: Mapping[str, str], size: int) -> Fit | None:
    """Whether the weights of `made` fit; None where nobody can tell.

    Args:
        made: what will be started.
        env: the worker's environment.
        size: bytes of one GPU's memory.
    """
    if made.demand is None or made.model is None:
        return None
    try:
        found = _weights(made, planned.engine_environment(env, made))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # the engine will say what is wrong with it
    return None if found is None else fit.judge(made.model, found, made.demand, size)


def _of_this_machine(made: Plan) -> int:
    """Bytes of the largest GPU: which of several are used is not known here."""
    return max(memory.each(), default=0) if made.gpus else 0


def _said(made: Plan) -> int:
    """GPU_MEMORY_GB in bytes. The GB in the name of a GPU are GiB, or a little less."""
    return int((made.settings[table.GPU_MEMORY_GB] or 0) * GIB)


def _weights(made: Plan, env: Mapping[str, str]) -> Weights | None:
    load_format = made.demand.load_format if made.demand is not None else "auto"
    of = Format(load_format, made.vllm_version or "")
    revision = made.value("--revision") or ""
    if made.download is not None:
        name: Name | None = made.download.name
        here = Path(made.model_path or made.download.folder)
        place = here if here.is_dir() and whole(here) else None
        revision = made.download.revision
    else:
        text = made.model_path or made.model or ""
        name = Name.parse(text)
        place = Path(text) if text.startswith("/") else None
        if name is not None:
            cache = weights_folder(made.value("--download-dir"), env)
            place = cached(cache, name, revision)
    if place is not None:
        return weights.in_folder(place, of)
    if name is None or is_set(env, "HF_HUB_OFFLINE"):
        return None
    return weights.at_hub(name, revision, env, of, _WITHIN)
