"""Whether a model's weights fit into the memory of the GPUs. Pure arithmetic.

Only the weights are looked at: how much the cache needs nobody knows before the engine. What is
said not to fit is more than all of the memory that the engine may use, so that it cannot start.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import shape
from .demand import GIB, Demand

#: Of what is stored, some is not loaded: the layers that only speculation uses, 7 % at most.
_LOADED = 0.9
#: Of its memory the engine also needs some for the cache: what is offered leaves that much.
_FILLED = 0.9
_MOST_GPUS = 64
#: Of the memory; the rest is CUDA's own.
_LARGEST_SHARE = 0.95
_WIDE = {"F32": 2, "F64": 4}  # times as wide as what they are run in, unless told otherwise
_FULL = ("float", "float32")
#: A quantised copy's share of weights of 16 bits; some layers stay as they are.
_QUANTIZED = ((8, 0.55), (4, 0.32))


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's weights as they are stored.

    Attributes:
        size: bytes of the files that are loaded.
        by_type: bytes in each data type, as safetensors name them; empty where nobody says.
        config: the model's config.json; empty where it is not at hand.
        packed: they are in a format whose own data types are run as they are (GGUF).
    """

    size: int
    by_type: Mapping[str, int] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """What came of it. `cannot`: no start can succeed; else it is doubtful, or fits.

    `message` and `remedy` are sentences; the remedy is empty where the weights fit.
    """

    message: str
    remedy: str = ""
    cannot: bool = False

    @property
    def fits(self) -> bool:
        """Whether there is nothing to say against it."""
        return not self.remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


def judge(model: str, weights: Weights, demand: Demand, memory: int) -> Fit:
    """Whether the weights fit.

    Args:
        model: its name, for the sentence.
        weights: as they are stored.
        demand: what the command asks.
        memory: bytes of one GPU.
    """
    needed = least(weights, demand)
    part, room = needed / demand.parts, memory * demand.share
    each = f"each of {demand.parts} GPUs" if demand.parts > 1 else "the GPU"
    held = f"{each} would hold {_gib(part)} of weights"
    has = f"{_gib(room)} for the engine ({demand.share:g} of {_gib(memory)})"
    has += f" and {_gib(demand.offload)} outside" if demand.offload else ""
    if part <= room + demand.offload:
        return Fit(f"the weights of {model}, {_gib(needed)}, fit: {held}, and has {has}")
    doubts = (*demand.doubts, *_doubts(weights, demand))
    sure = not doubts and part * _LOADED > room + demand.offload
    message = f"the weights of {model}, {_gib(needed)}, {'cannot fit' if sure else 'may not fit'}"
    why = f", unless {doubts[0]} makes them smaller" if doubts else ""
    return Fit(f"{message}: {held}, and has {has}{why}", _remedy(weights, demand, memory), sure)


def least(weights: Weights, demand: Demand) -> int:
    """The bytes that they take at least when they are run as they are stored.

    Weights of 32 bits are run in 16, unless the command says otherwise.
    """
    full = demand.dtype in _FULL
    if weights.by_type:
        return sum(
            size if full else size // _WIDE.get(kind, 1) for kind, size in weights.by_type.items()
        )
    wide = shape.data_type(weights.config) in _FULL and not shape.is_quantized(weights.config)
    return weights.size // 2 if wide and not full else weights.size


def _doubts(weights: Weights, demand: Demand) -> tuple[str, ...]:
    """Why weights may be run otherwise than they are stored."""
    if demand.quantization and not weights.packed and not shape.is_quantized(weights.config):
        return (f"quantising them while they are loaded ({demand.quantization})",)
    known = weights.packed or weights.by_type or shape.data_type(weights.config)
    return () if known else ("their data type, which is not known,",)


def _remedy(weights: Weights, demand: Demand, memory: int) -> str:
    """What would fit, the nearest first."""
    needed, room = least(weights, demand), memory * demand.share
    found = []
    if enough := _larger_share(needed / demand.parts - demand.offload, demand.share, memory):
        found.append(f"set GPU_MEMORY_UTILIZATION={enough:g}")
    if number := _enough_gpus(needed, demand, weights.config, room):
        found.append(f"use {number * demand.pipeline} such GPUs (TENSOR_PARALLEL_SIZE={number})")
    found.append(f"use GPUs of {_ceiling(needed / demand.parts / demand.share / _FILLED)} GB")
    if not weights.packed and not shape.is_quantized(weights.config):
        held = room * _FILLED + demand.offload
        fitting = [bits for bits, size in _QUANTIZED if weights.size * size / demand.parts <= held]
        if fitting:
            found.append(f"use a copy of the model that is quantised to {fitting[0]} bits")
    outside = _ceiling(needed / demand.parts - room * _FILLED)
    found.append(f"set CPU_OFFLOAD_GB={outside}, which is slow")
    return ", or ".join(found)


def _larger_share(part: float, share: float, memory: int) -> float:
    """The least share of the memory, in hundredths, that is enough; 0 where none is."""
    enough = math.ceil(part / _FILLED / memory * 100) / 100
    return enough if share < enough <= _LARGEST_SHARE else 0


def _enough_gpus(needed: int, demand: Demand, config: Mapping[str, Any], room: float) -> int:
    """The least tensor parallel size that is enough; 0 where none is."""
    sizes = range(demand.tensor + 1, _MOST_GPUS // demand.pipeline + 1)
    likely = sizes if shape.heads(config) is not None else [n for n in sizes if n & (n - 1) == 0]
    held = room * _FILLED + demand.offload
    enough = (size for size in likely if needed / size / demand.pipeline <= held)
    return next((size for size in enough if shape.divides(size, config)), 0)


def _ceiling(size: float) -> int:
    return math.ceil(size / GIB)


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"
