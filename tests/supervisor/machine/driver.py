"""A library that answers like the driver's (NVML), built here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

_SOURCE = """
#include <stdlib.h>
typedef struct {{ unsigned long long total, free, used; }} memory_t;
static unsigned long long sizes[] = {{ {sizes} 0 }};
static int open_now = 0;
int nvmlInit_v2(void) {{ open_now = 1; return {init}; }}
int nvmlShutdown(void) {{ open_now = 0; return 0; }}
int nvmlDeviceGetCount_v2(unsigned *count) {{
    if (!open_now) return 1;
    *count = {count};
    return 0;
}}
int nvmlDeviceGetHandleByIndex_v2(unsigned number, void **device) {{
    if (number >= {count}) return 2;
    *device = &sizes[number];
    return 0;
}}
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {{
    memory->total = *(unsigned long long *)device;
    return memory->total ? 0 : 3;
}}
"""


def driver(folder: Path, sizes: Sequence[int], init: int = 0) -> Path:
    """`libnvidia-ml.so.1` in `folder`, for GPUs of so many bytes; 0: one that does not say.

    Skips the test where there is no compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    source, library = folder / "nvml.c", folder / "libnvidia-ml.so.1"
    listed = "".join(f"{size}ULL," for size in sizes)
    source.write_text(_SOURCE.format(sizes=listed, count=len(sizes), init=init))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return library
