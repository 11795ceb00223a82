"""What this node would run, for the others to compare: its plan, and the model on its disk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ... import hanging
from ...command import plan as planned
from ...command.cluster import config_file, likeness
from ...command.cluster.likeness import Identity
from ...command.cluster.node import Cluster
from ...command.plan import Plan
from ...models import disk
from ...models.hub import cached, hub_cache, weights_folder
from ...models.placement import Name


async def identity(
    plan: Plan, cluster: Cluster, address: str, env: Mapping[str, str], *, prepared: bool
) -> Identity:
    """What this node would run now; another commit of the model may be there after a download.

    Args:
        plan: what is run.
        cluster: which node this is.
        address: at which the others reach it; may be empty.
        env: the worker's environment.
        prepared: no download goes on. Else what is there may be what an older one left.
    """
    return Identity(
        rank=cluster.rank,
        address=address,
        version=plan.vllm_version or "",
        model=plan.model or "",
        revision=_revision(plan),
        commit=await _commit(plan, env) if prepared else "",
        options=likeness.alike(plan.options, config_file.options(await _configured(plan))),
    )


async def _configured(plan: Plan) -> str:
    """The text of the engine's configuration file; empty where there is none."""
    if not (path := plan.value("--config")):
        return ""
    file = Path("/", path)  # where the engine runs
    try:
        return await hanging.look_beside(lambda: disk.config_text(str(file)), [file])
    except hanging.HangsError:
        return ""


def _revision(plan: Plan) -> str:
    """As it was asked for: where the model is on this disk already, the command has none."""
    said = (plan.value("--revision"), *map(plan.environment.get, ("MODEL_REVISION", "REVISION")))
    return next((text.strip() for text in said if text and text.strip()), "")


async def _commit(plan: Plan, env: Mapping[str, str]) -> str:
    """The commit of the model on this disk; empty where that is not known, or it is not whole."""
    if found := likeness.commit(plan.model_path or ""):
        return found
    name = Name.parse(plan.model or "")
    if plan.model_path is not None or name is None:
        return ""
    own = planned.engine_environment(env, plan)
    apart = plan.value("--download-dir")
    folder, rest = weights_folder(apart, own), hub_cache(own)
    revision = plan.value("--revision") or ""
    look = partial(cached, folder, name, revision, rest=rest if apart else None)
    try:
        place = await hanging.look_beside(look, [folder, rest])
    except hanging.HangsError:
        return ""
    return "" if place is None else likeness.commit(f"{place}/")
