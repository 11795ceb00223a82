"""RunPod's pools of GPUs, by which a listing says where it runs.

From https://docs.runpod.io/references/gpu-types#gpu-pools, as of February 2026.
"""

from __future__ import annotations

#: Pool -> GB of memory that each of its GPUs has at least.
MEMORY = {
    "AMPERE_16": 16,
    "AMPERE_24": 24,
    "ADA_24": 24,
    "AMPERE_48": 48,
    "ADA_48_PRO": 48,
    "AMPERE_80": 80,
    "ADA_80_PRO": 80,
    "HOPPER_141": 141,
}
#: Those that the listing offers, the cheapest that are enough first.
OFFERED = ("ADA_48_PRO", "AMPERE_48", "AMPERE_80", "ADA_80_PRO")


def smallest() -> int:
    """GB of the smallest GPU on offer, on which every preset has to fit."""
    return min(MEMORY[pool] for pool in OFFERED)


def disk() -> int:
    """GB of container disk: weights that fill the largest GPU on offer, and half as much again.

    Repositories hold files beside the weights, and a model that is fetched anew lies there twice
    for a while.
    """
    return max(MEMORY[pool] for pool in OFFERED) * 3 // 2
