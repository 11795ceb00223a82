"""What the SDK checks before the first job: whether this machine is fit, and the engine ready.

The SDK runs its checks one after the other. It reports one that fails to the platform, with its
name and reason, and ends the process with 1. The machine's come first: they are done while the
engine still loads, and need nothing that it needs.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import httpx
import psutil
from runpod.serverless.modules import rp_fitness

from proxy.settings import FITNESS_CHECKS, MODELS_FOLDER, Settings
from supervisor import hanging
from supervisor.files import existing
from supervisor.link.handover import Check
from supervisor.link.standing import Standing
from supervisor.models.hub import hub_cache
from supervisor.settings import handed, table

log = logging.getLogger("proxy")

_POLL = 0.05  # seconds between two tries
_ASK_FOR = 30.0  # seconds that the supervisor holds one question
_SAYS_WITHIN = 5.0  # seconds for a question that is answered at once
_GPU_WITHIN = 30.0  # seconds: a driver that hangs is a broken one
_KILLED_WITHIN = 1.0  # seconds
_LEAST_MEMORY = 0.25  # GB
_LEAST_DISK = 0.1  # GB


class UnfitError(Exception):
    """One sentence: what is wrong, and what to do."""


def register(settings: Settings, env: Mapping[str, str], tell: Callable[[str], None]) -> None:
    """Give the SDK the checks that `settings` name, the machine's first.

    Args:
        settings: the proxy's.
        env: RUNPOD_MIN_MEMORY_GB, RUNPOD_MIN_DISK_PERCENT, NVIDIA_VISIBLE_DEVICES, PATH, and what
            says where the hub's cache is, for a proxy without a supervisor.
        tell: is told why a check fails, before the SDK ends the process.
    """
    wanted = settings[FITNESS_CHECKS].split(",")
    _tell_of_the_sdks_own(tell)
    folder = Path(settings[MODELS_FOLDER] or hub_cache(env))
    of_the_machine = {
        Check.MEMORY: partial(memory, env),
        Check.DISK: partial(disk, env, folder),
        Check.GPU: partial(gpu, env),
    }
    for name, check in of_the_machine.items():
        if name in wanted:
            _add(name, _unless_only_answering(check, settings), tell)
    for function in ("_ensure_gpu_check_registered", "_ensure_system_checks_registered"):
        # The SDK's own, where the user wants them: they, too, must not wait for the engine.
        getattr(rp_fitness, function, lambda: None)()
    if Check.ENGINE in wanted:
        _add(Check.ENGINE, partial(engine, settings), tell)


def _add(name: Check, check: Callable[[], None], tell: Callable[[str], None]) -> None:
    def run() -> None:
        try:
            check()
        except Exception as reason:
            tell(str(reason))
            raise

    run.__name__ = name.value  # what the SDK calls it in its report
    rp_fitness.register_fitness_check(run)


def _unless_only_answering(check: Callable[[], None], settings: Settings) -> Callable[[], None]:
    """`check`, which counts for nothing once jobs are only told why the worker cannot start."""

    def run() -> None:
        try:
            check()
        except UnfitError as reason:
            with httpx.Client(trust_env=False, timeout=_SAYS_WITHIN) as client:
                standing = _standing(client, settings, {})
            if standing is None or not standing.answering:
                raise
            log.warning("%s", reason)

    return run


def _tell_of_the_sdks_own(tell: Callable[[str], None]) -> None:
    """Let the supervisor hear why a check of the SDK's own failed, as the platform does."""
    report = getattr(rp_fitness, "_report_unhealthy", None)
    if report is None:
        return

    def reported(check: str, reason: str) -> None:
        if check not in set(Check):
            tell(f"{check}: {reason}")
        report(check, reason)

    rp_fitness._report_unhealthy = reported  # looked for above


def report_unhealthy(reason: str) -> None:
    """Tell the platform that the engine is lost for good, as the SDK tells of a failed check."""
    tell = getattr(rp_fitness, "_report_unhealthy", None)
    if tell is not None:
        # Half a character would be lost with all the rest: the SDK swallows what it cannot send.
        tell(Check.ENGINE.value, reason.encode(errors="backslashreplace").decode())


# --- the engine ---


def engine(settings: Settings) -> None:
    """Wait until the supervisor says that the engine is ready; without one, until the engine does.

    A worker that cannot start may answer jobs with the cause first; that needs no engine.

    Raises:
        UnfitError: the worker has given up, and why.
    """
    headers = settings.control_headers
    with httpx.Client(trust_env=False, timeout=_ASK_FOR + 10, headers=headers) as client:
        while not _is_ready(client, settings):
            time.sleep(_POLL)
    log.info("taking jobs, %d at once at most", settings[table.MAX_CONCURRENCY])


def _is_ready(client: httpx.Client, settings: Settings) -> bool:
    try:
        if settings.control_url is None:
            return client.get(f"{settings.engine_url}/health").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
    standing = _standing(client, settings, {"wait": "ready", "timeout": f"{_ASK_FOR:.0f}"})
    if standing is None:
        return False
    if standing.state == "FAILED" and not standing.answering:
        raise UnfitError(standing.words)
    return standing.answering or standing.state == "READY"


def _standing(
    client: httpx.Client, settings: Settings, query: Mapping[str, str]
) -> Standing | None:
    """What the supervisor says; None where nobody does."""
    try:
        answer = client.get(f"{settings.control_url}/status", params=dict(query))
        return Standing.read(answer.json())
    except (httpx.HTTPError, ValueError, AttributeError):
        return None


# --- the machine ---


def memory(env: Mapping[str, str]) -> None:
    """Raise UnfitError where next to no memory is left; RUNPOD_MIN_MEMORY_GB sets how much."""
    said = _number(env, "RUNPOD_MIN_MEMORY_GB")
    least = _LEAST_MEMORY if said is None else said
    free = psutil.virtual_memory().available / 1e9
    if free < least:
        raise UnfitError(f"only {free:.1f} GB of memory is free; at least {least:g} GB is required")


def disk(env: Mapping[str, str], folder: Path) -> None:
    """Raise UnfitError where next to no disk is left for a model that is downloaded to `folder`.

    RUNPOD_MIN_DISK_PERCENT sets how much; 0 turns it off.
    """
    try:
        place, total, left = hanging.look(lambda: _disk_at(folder), [folder])
    except hanging.HangsError as reason:  # only the engine may need it
        log.warning("how much disk is free is not known: %s", reason)
        return
    share = _number(env, "RUNPOD_MIN_DISK_PERCENT")
    least = _LEAST_DISK if share is None else total / 1e9 * share / 100
    free = left / 1e9
    if free < least:
        raise UnfitError(
            f"only {free:.1f} GB of disk is free at {place}; at least {least:.1f} GB is required"
        )


def _disk_at(folder: Path) -> tuple[Path, int, int]:
    """The folder whose disk will hold it; the bytes of that disk, and those that are free."""
    place = existing(folder)
    usage = shutil.disk_usage(place)
    return place, usage.total, usage.free


def gpu(env: Mapping[str, str]) -> None:
    """Raise UnfitError where the container was given GPUs and their driver does not answer.

    `nvidia-smi` asks it, which takes no memory of a GPU.
    """
    given = env.get("NVIDIA_VISIBLE_DEVICES", "")
    command = shutil.which("nvidia-smi", path=env.get("PATH"))
    if given in {"", "void", "none"} or command is None:
        return
    try:
        asking = subprocess.Popen(
            [command, "-L"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            errors="replace",
            env=handed.to_interpreter(env),  # the engine can read what is not hidden as we are
        )
    except OSError as reason:
        raise UnfitError(f"nvidia-smi cannot be run: {reason.strerror}") from None
    # Looks are counted, not seconds: a worker that is frozen meanwhile has not waited.
    for _ in range(round(_GPU_WITHIN / _POLL)):
        if asking.poll() is not None:
            break
        time.sleep(_POLL)
    else:
        asking.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # in the driver no signal reaches it
            asking.communicate(timeout=_KILLED_WITHIN)
        raise UnfitError(f"nvidia-smi did not answer within {_GPU_WITHIN:.0f} s")
    said = asking.communicate()[0]
    if asking.returncode or "GPU 0" not in said:
        shown = " ".join(said.split())[:200]
        raise UnfitError(f"the GPU's driver does not work; nvidia-smi says: {shown}")


def _number(env: Mapping[str, str], name: str) -> float | None:
    try:
        return float(env[name])
    except (KeyError, ValueError):
        return None
