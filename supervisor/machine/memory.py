"""How much memory the GPUs of this machine have, as the driver's library says it (NVML).

It makes no context on a GPU, starts no process and needs no torch. It may take a second where the
driver has to wake first, so it is never asked before an engine is spawned.
"""

from __future__ import annotations

import ctypes

LIBRARY = "libnvidia-ml.so.1"
_GOOD = 0  # NVML_SUCCESS


class _Memory(ctypes.Structure):
    """nvmlMemory_t: bytes."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


def each(library: str = LIBRARY) -> list[int]:
    """Bytes of each GPU that the driver shows, used or not; empty where it cannot be asked.

    A part of a divided GPU (MIG) is told with the memory of the whole.
    """
    try:
        nvml = ctypes.CDLL(library)
        return _ask(nvml)
    except (OSError, AttributeError):  # no driver, or one older than these functions
        return []


def _ask(nvml: ctypes.CDLL) -> list[int]:
    if nvml.nvmlInit_v2() != _GOOD:
        return []
    try:
        count = ctypes.c_uint()
        if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != _GOOD:
            return []
        found = (_total(nvml, number) for number in range(count.value))
        return [total for total in found if total]
    finally:
        nvml.nvmlShutdown()


def _total(nvml: ctypes.CDLL, number: int) -> int:
    """Bytes of one GPU; 0 where it does not say."""
    device, memory = ctypes.c_void_p(), _Memory()
    if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(number), ctypes.byref(device)) != _GOOD:
        return 0
    if nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) != _GOOD:
        return 0
    return int(memory.total)
