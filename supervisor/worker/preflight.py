"""What is looked at, and written, before anything is started."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Mapping
from pathlib import Path

from .. import hanging
from ..command import plan as planned
from ..command.plan import Plan
from ..errors import MachineRefused
from ..files import fault, mount
from ..machine import ports
from ..models import named, unseen
from ..models.hub import cache_variable, is_default, weights_folder
from ..models.placement import Kept
from ..records import replace
from ..settings import table
from ..settings.read import Settings


def prepared(made: Plan) -> Plan:
    """`made` as it can be started here; see `written`.

    Raises:
        ConfigurationError: the path of the model is not there.
        MachineRefused: something else of it cannot be had on this machine.
    """
    named.check(made.model)
    check_ports(made.settings)
    make_volume(made.volume)
    return written(made)


def check_ports(settings: Settings) -> None:
    """Refuse a port that somebody listens on already: vLLM would share it with them.

    Raises:
        MachineRefused: one is taken, with its owner; its address is not ours; this user has no
            right to it.
    """
    for name, host, number in settings.listening:
        if not ports.is_ours(host):
            wrong = table.CONTROL_HOST.name if name == table.PORT_HEALTH.name else "--host"
            raise MachineRefused(
                f"{host} is not an address of this machine, so that nothing can listen on its port"
                f" {number}; correct {wrong}"
            )
        if not ports.is_allowed(host, number):
            raise MachineRefused(
                f"{ports.not_allowed(number)}; set {name} to one from 1024 on, such as 8080"
            )
        if not ports.is_free(host, number):
            raise MachineRefused(
                f"port {number} is taken by {ports.owner(number)};"
                f" end it or set {name} to a free port"
            )


def make_volume(folder: Path | None) -> None:
    """Make the folder for models and caches, where it is not there yet.

    Raises:
        MachineRefused: it cannot be made.
    """
    if folder is None:
        return
    try:
        hanging.look(lambda: folder.mkdir(parents=True, exist_ok=True), [folder])
    except hanging.HangsError as reason:
        raise MachineRefused(f"{table.BASE_PATH.name}={folder} cannot be made: {reason}") from None
    except OSError as reason:
        name = table.BASE_PATH.name
        raise MachineRefused(
            f"{name}={folder} cannot be made: {reason.strerror};"
            f" set {name} to a folder that can be written to"
        ) from None


def where_models_go(made: Plan, env: Mapping[str, str]) -> str:
    """A sentence about the folder of the weights, and whether it outlives this container.

    Args:
        made: what will be started.
        env: the worker's environment.
    """
    here = made.model_path if made.download is None else None
    if here is None and made.model is not None and made.model.startswith("/"):
        here = made.model
    if here is not None:
        return f"the model is read from {here}"
    own = planned.engine_environment(env, made)
    folder = weights_folder(made.value("--download-dir"), own, made.download)
    try:
        disk, why = hanging.look(lambda: (mount(folder), fault(folder)), [folder])
    except hanging.HangsError as reason:
        return f"models go to {folder}, and {reason}"
    if why is not None:
        return f"models go to {folder}, and {unseen.words(folder, why)[0]}"
    where = "the container's own disk" if disk == Path("/") else f"the volume mounted at {disk}"
    return f"models go to {folder}, on {where}"


def with_kept(made: Plan) -> Plan:
    """`made` with where its model is, and what a start leaves; asks no volume that may hang."""
    from .early import infos  # the engine is spawned

    own, apart = planned.engine_environment(made.environment, made), made.value("--download-dir")
    downloads = weights_folder(apart, own, made.download)
    base, by_default = table.BASE_PATH.name, is_default(apart, made.environment)
    setting = base if made.download or by_default else cache_variable(apart, made.environment)
    root = "VLLM_CACHE_ROOT"
    at = made.model_path or made.model or ""
    kept = {
        "model": _kept(Path(at) if at.startswith("/") else downloads, setting),
        "downloads": _kept(downloads, setting),
        "compiled": _kept(infos.cache(own).parent, root if root in made.environment else base),
    }
    return replace(made, kept=kept)


def _kept(folder: Path, setting: str) -> Kept:
    lasts = hanging.volume(folder) is not None or mount(folder) != Path("/")
    return Kept(str(folder), setting, lasts)


def written(made: Plan) -> Plan:
    """`made` with what the engine reads written into a folder of this run's own, gone at its end.

    In a shared folder a name that everybody knows may be somebody else's, who may change the file.

    Raises:
        MachineRefused: it cannot be written.
    """
    if not made.files:
        return made
    shared = Path(next(iter(made.files))).parents[1]  # the folder for temporary files
    try:
        own = hanging.look(lambda: _in_own_folder(shared, made.files), [shared])
    except hanging.HangsError as reason:
        message = f"a file that the engine reads cannot be written in {shared}: {reason}"
        raise MachineRefused(f"{message}; set TMPDIR to another folder") from None
    except OSError as reason:
        raise MachineRefused(
            f"a file that the engine reads cannot be written in {shared}: {reason.strerror};"
            " set TMPDIR to a writable folder"
        ) from None
    atexit.register(_remove, own)
    moved = {path: str(Path(own, Path(path).name)) for path in made.files}
    command = tuple(_moved(token, moved) for token in made.command)
    files = {moved[path]: text for path, text in made.files.items()}
    return replace(made, command=command, files=files)


def _in_own_folder(shared: Path, files: Mapping[str, str]) -> str:
    import tempfile  # most starts write nothing

    shared.mkdir(parents=True, exist_ok=True)
    own = tempfile.mkdtemp(prefix="vllm-supervisor-", dir=shared)  # of mode 700
    for path, text in files.items():
        Path(own, Path(path).name).write_text(text, "utf-8", "surrogateescape")
    return own


def _remove(own: str) -> None:
    import shutil

    with contextlib.suppress(hanging.HangsError):
        hanging.look(lambda: shutil.rmtree(own, ignore_errors=True), [own])


def _moved(token: str, moved: Mapping[str, str]) -> str:
    for path, to in moved.items():
        token = token.replace(path, to)
    return token
