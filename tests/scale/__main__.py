"""`python -m tests.scale`: see the package. It ends with 1 where a verdict is not good."""

from __future__ import annotations

import argparse
import dataclasses
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

from supervisor.worker.process import descriptors
from tests.scale.figures import lines
from tests.scale.run import Outcome, Size, run

_SHOWN = 10
_OF_A_WORKER, _OF_OTHERS = 4, 200  # connections: two polls and two requests; callers, the rest


def main() -> int:
    """The command line."""
    asked = _arguments()
    names = [field.name for field in dataclasses.fields(Size)]
    size = Size(**{name: getattr(asked, name) for name in names})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left behind
    descriptors.raise_limit()
    if short := too_few_files(size, resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        print(short, file=sys.stderr)
        return 1
    print(
        f"{size.clients} light and {size.workers} real workers"
        f" (MAX_CONCURRENCY={size.concurrency}), {size.jobs} jobs of {size.seconds:g} s",
        flush=True,
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if asked.keep:
            asked.keep.mkdir(parents=True, exist_ok=True)
        outcome = run(size, asked.keep or Path(folder))
    code = report(outcome)
    print(f"took {time.monotonic() - began:.0f} s")
    return code


def too_few_files(size: Size, limit: int) -> str | None:
    """What to do where one process may not have as many connections as the platform then has."""
    needed = len(size.names) * _OF_A_WORKER + _OF_OTHERS
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return None
    return (
        f"a process may have {limit} files open; {len(size.names)} workers need {needed}: raise the"
        " limit (`ulimit -n`), or take fewer (--clients)"
    )


def report(outcome: Outcome) -> int:
    """Print what came of a run; the exit code."""
    print("\n".join(lines(outcome.found, outcome.measured)))
    verdict = outcome.verdict
    for name, some in (
        ("lost", verdict.lost),
        ("answered twice", verdict.twice),
        ("workers that did not come back", verdict.away),
        ("cuts that did not happen", verdict.uncut),
    ):
        print(f"{name}: {len(some)}", *some[:_SHOWN], sep="\n  ")
    return int(not verdict.good)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.scale", description=__doc__)
    told = {
        "clients": "workers that only speak the protocol",
        "workers": "real workers with the stand-in engine",
        "concurrency": "MAX_CONCURRENCY of each real worker",
        "jobs": "that are submitted, all at once",
        "seconds": "that a job takes",
        "cut": "workers whose connections are cut, the real ones first",
        "away": "seconds until they may connect again",
        "patience": "seconds in which no job ends: what is left is lost",
    }
    for field in dataclasses.fields(Size):
        parser.add_argument(
            f"--{field.name}",
            type=type(field.default),
            default=field.default,
            help=told[field.name],
        )
    parser.add_argument("--keep", type=Path, help="where the real workers' logs stay")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
