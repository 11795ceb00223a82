"""`ENGINE/bin/python bench/cold/imports.py MODULE`: where the CPU time of an import goes.

By package and by module, each without what it imports in turn, a line of JSON. CPU seconds and not
those on the clock, as `python -X importtime` has them: a busy machine changes little of these. Run
by the engine's interpreter, so it imports nothing of ours.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from importlib import _bootstrap
from typing import Any

_system: Any = _bootstrap
_MOST = 10  # rows


def measure(module: str) -> dict[str, Any]:
    """Import `module`: seconds in all, and of the packages and modules that took most.

    And the page faults: `page_faults` found their page in memory, in the page cache or new,
    `read_from_disk` waited for a disk.
    """
    own: dict[str, float] = {}
    inner: list[float] = []
    load = _system._find_and_load_unlocked

    def timed(name: str, import_: Any) -> Any:
        inner.append(0.0)
        began = time.process_time()
        try:
            return load(name, import_)
        finally:
            took = time.process_time() - began
            own[name] = own.get(name, 0.0) + took - inner.pop()
            if inner:
                inner[-1] += took

    before = resource.getrusage(resource.RUSAGE_SELF)
    _system._find_and_load_unlocked = timed
    try:
        importlib.import_module(module)
    finally:
        _system._find_and_load_unlocked = load
    after = resource.getrusage(resource.RUSAGE_SELF)
    packages: dict[str, float] = {}
    for name, seconds in own.items():
        package = name.partition(".")[0]
        packages[package] = packages.get(package, 0.0) + seconds
    return {
        "seconds": round(sum(own.values()), 3),
        "modules_imported": len(own),
        "system_seconds": round(after.ru_stime - before.ru_stime, 3),
        "page_faults": after.ru_minflt - before.ru_minflt,
        "read_from_disk": after.ru_majflt - before.ru_majflt,
        "packages": _top(packages),
        "modules": _top(own),
    }


def _top(found: dict[str, float]) -> dict[str, float]:
    most = sorted(found, key=lambda name: -found[name])[:_MOST]
    return {name: round(found[name], 3) for name in most}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
