"""Which tests run beside each other: `make test` hands them to several processes.

Most tests wait, for an engine that starts or a process that ends, so that more of them than there
are cores can run at a time. What can be there once stays in one process: the engine that many tests
share and its port 8000, and the images. Two processes have real engines, and take turns
(`tests.turns`).
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath

_LANES = {
    "tests/e2e/test_clients.py": "engine",
    "tests/e2e/test_cluster.py": "engine",
    "tests/e2e/test_cut.py": "engine",
    "tests/e2e/test_end_to_end.py": "engine",
    "tests/e2e/test_faults.py": "engine",
    "tests/e2e/test_fetched.py": "images",
    "tests/e2e/test_gate.py": "engine",
    "tests/e2e/test_logs.py": "images",
    "tests/e2e/test_models.py": "images",
    "tests/e2e/test_names.py": "engine",
    "tests/e2e/test_recipes.py": "images",
    "tests/e2e/test_traces.py": "engine",
    "tests/e2e/test_warmup.py": "images",
    "tests/image": "images",
}
#: The longest first, so that the end is not a wait for one of them. Others follow in their order.
_ORDER = ("tests/e2e", "tests/image", "tests/faults", "tests/proxy/test_process.py", "tests/test_")


def lane(test: str) -> str:
    """The name of the tests that run in one process with `test`, which is a test's id.

    Tests of faults are long and know nothing of each other; others share what their file starts.
    """
    path = PurePosixPath(test.partition("::")[0])
    for place in (path, path.parent):
        if found := _LANES.get(str(place)):
            return found
    return test if path.parent.name == "faults" else str(path)


def rank(test: str, marks: Collection[str]) -> tuple[bool, int]:
    """Where a test comes in the order of all.

    Those that start an engine of their own come before those that share one, which stays to the
    end: one engine at a time in each process.
    """
    place = next((n for n, start in enumerate(_ORDER) if test.startswith(start)), len(_ORDER))
    return "own_engine" not in marks, place
