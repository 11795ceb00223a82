"""Among how many GPUs the model is divided: all of them, where nothing is said. Pure.

Old workers did so. vLLM itself takes one GPU, and the others are paid for and idle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ...catalog.options import variable
from ...findings import Applied, Findings, Remark
from ...models import shape
from ...models.placement import OnDisk
from ..arguments import Arguments

TENSOR = "--tensor-parallel-size"
PIPELINE = "--pipeline-parallel-size"
DATA = "--data-parallel-size"
_DEVICES = "--device-ids"
_EXECUTOR = "--distributed-executor-backend"
#: The sizes whose product is the number of GPUs that are used here.
_SIZES = (TENSOR, PIPELINE, "--prefill-context-parallel-size", DATA)
#: Options that name the GPUs one by one, or are about other machines.
_ELSEWHERE = (_DEVICES, "--nnodes", "--headless")
#: With one of them nothing is added.
_PLACED = (*_SIZES, *_ELSEWHERE)
#: Executors that have one GPU, or are given theirs from outside.
_ALONE = {"uni", "external_launcher"}


def divide(said: Arguments, disk: OnDisk) -> tuple[tuple[str, ...], Findings]:
    """The tokens that divide the model, and what is said of GPUs that stay idle.

    Args:
        said: what the command line says without them.
        disk: the GPUs of this machine, the model's config.json, and what the engine's
            configuration file sets.
    """
    if disk.configured & {flag.removeprefix("--") for flag in _PLACED}:
        return (), Findings()  # on the command line ours would win over the file's
    if _is_placed(said):
        return (), Findings.of(*_remarks(said, disk.gpus))
    if disk.gpus < 2:
        return (), Findings()
    size = shape.largest(disk.gpus, disk.config)
    note = f"not set: {_of(size, disk.gpus)} of this machine"
    name = variable(TENSOR)
    idle = disk.gpus - size
    found = Findings.of(Applied(name, str(size), TENSOR, "worker", note))
    if idle:
        message = f"{_idle(idle, disk.gpus)}: {_why(disk.config)} can be shared by {size} at most"
        whole = f"{variable(PIPELINE)}={disk.gpus}"
        remedy = f"run it on {_counted(size)}, or set {whole} to use all of them"
        found += Findings.of(Remark(name, message, remedy))
    return (f"{TENSOR}={size}",), found


def size_of(said: Arguments, flag: str) -> int:
    """What the command says of a size; 1 where it says nothing, 0 where it is no number."""
    value = said.value(flag)
    if value is None:
        return 1
    try:
        return max(0, int(value))
    except ValueError:  # the engine will refuse it
        return 0


def _is_placed(said: Arguments) -> bool:
    return said.value(_EXECUTOR) in _ALONE or any(
        each.flag in _SIZES or _is_elsewhere(each.flag) for each in said.given
    )


def _is_elsewhere(flag: str) -> bool:
    """Whether an option is about other machines, or names the GPUs one by one."""
    return flag in _ELSEWHERE or (flag.startswith("--data-parallel-") and flag != DATA)


def _remarks(said: Arguments, gpus: int) -> Iterator[Remark]:
    """What is said of GPUs where the user says how many are used."""
    if not gpus or any(_is_elsewhere(each.flag) for each in said.given):
        return
    sizes = {flag: size_of(said, flag) for flag in _SIZES if said.last(flag) is not None}
    used = math.prod(sizes.values())
    words = ", ".join(f"{variable(flag)}={size}" for flag, size in sizes.items())
    if not used or used == gpus or not sizes:
        return
    name = variable(next(iter(sizes)))
    if used > gpus:
        message = f"{words} needs {used} GPUs, and this machine shows {_counted(gpus)}"
        yield Remark(name, message, f"use a machine with {used}, or lower {name}")
        return
    message = f"{_idle(gpus - used, gpus)}: {words} is obeyed"
    yield Remark(name, message, f"unset {name} to use all of them, or run it on {used}")


def _why(config: Mapping[str, Any]) -> str:
    count, keys = shape.heads(config), shape.kv_heads(config)
    if count is None:
        return "the model's layers"
    also = f", {keys} for keys and values," if keys not in {None, count} else ""
    return f"the model's {count} attention heads{also}"


def _of(size: int, gpus: int) -> str:
    return f"the {gpus} GPUs" if size == gpus else f"{size} of the {gpus} GPUs"


def _idle(idle: int, gpus: int) -> str:
    return f"{idle} of the {gpus} GPUs {'stays' if idle == 1 else 'stay'} idle"


def _counted(gpus: int) -> str:
    return "1 GPU" if gpus == 1 else f"{gpus} GPUs"
