"""Which of the places where a model is looked for cannot be read, and why.

The server of a volume is gone (ENOTCONN, ESTALE), a disk is broken (EIO), a folder is another
user's (EACCES). Most of these places are only a help: a start goes on without them.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from pathlib import Path

from .. import files, hanging
from ..settings import table
from ..settings.values import early
from . import hub
from .placement import Name, Unseen, baked_folder

_NOT_ALLOWED = {errno.EACCES, errno.EPERM}
_HANGS = "where it stays so, use another machine, or none of its files"


def look(env: Mapping[str, str], volume: Path | None = None) -> tuple[Unseen, ...]:
    """Each such place by its first setting. A model's own folder is none: no start goes on without.

    Args:
        env: MODEL_NAME, BASE_PATH, BAKED_MODELS, DOWNLOAD_DIR, those of the hub's cache.
        volume: the folder for models and caches; the default cache is not used beside it.
    """
    found: dict[str, Unseen] = {}
    for name, path, reason in _faults(env, volume):
        why, remedy = words(path, reason)
        found.setdefault(name, Unseen(name, f"{path} ({name}) is passed by: {why}", remedy))
    return tuple(found.values())


def hung(env: Mapping[str, str], reason: hanging.HangsError) -> Unseen:
    """What is said where a look at any of them did not come to an end."""
    model = table.MODEL_NAME.written(env)
    of_model = any(model.startswith(f"{place}/") for place in reason.places)
    name = table.MODEL_NAME.name if of_model else table.BASE_PATH.name
    return Unseen(name, f"{reason}: nothing on it is looked for", _HANGS)


def words(path: Path, reason: OSError) -> tuple[str, str]:
    """That `path` cannot be read for `reason`, with its volume's name, and the remedy."""
    why = f"cannot be read ({reason.strerror or reason})"
    if reason.errno in _NOT_ALLOWED:
        return f"{path} {why}", "let this worker's user read it, or name another folder"
    if not is_of_machine(reason):
        return f"{path} {why}", "name another one"
    volume = hanging.volume(path)
    place = path if volume is None else f"the volume at {volume}"
    return f"{place} {why}", "mount it again, or use another machine"


def is_of_machine(reason: OSError) -> bool:
    """Whether another machine may be able to read it."""
    return reason.errno not in {*_NOT_ALLOWED, errno.ENAMETOOLONG, errno.ELOOP}


def _faults(env: Mapping[str, str], volume: Path | None) -> Iterator[tuple[str, Path, OSError]]:
    """The setting, what it leads to, and why that cannot be read."""
    base, own = Path(early(env, table.BASE_PATH)), env.get("DOWNLOAD_DIR", "").strip()
    cache = (hub.cache_variable(own, env), hub.weights_folder(own, env))
    caches = () if volume is not None and hub.is_default(own, env) else (cache,)
    places = ((table.BASE_PATH.name, base), (table.BAKED_MODELS.name, baked_folder(env)))
    for setting, path in (*places, *caches):
        if (reason := files.fault(path)) is not None:
            yield setting, path, reason
    if (name := Name.parse(table.MODEL_NAME.written(env))) is None:
        return
    kept = base / "huggingface-cache" / "hub"
    for setting, folder in ((table.BASE_PATH.name, kept), *caches):
        if (at := hub.fault(folder, name)) is not None:
            yield setting, *at
