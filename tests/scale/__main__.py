"""`python -m tests.scale`: see the package. It ends with 1 where a job was lost or doubled."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

from tests.scale.figures import lines
from tests.scale.run import Outcome, Size, run

_SHOWN = 10


def main() -> int:
    """The command line."""
    asked = _arguments()
    names = [field.name for field in dataclasses.fields(Size)]
    size = Size(**{name: getattr(asked, name) for name in names})
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


def report(outcome: Outcome) -> int:
    """Print what came of a run; the exit code."""
    print("\n".join(lines(outcome.found, outcome.measured)))
    verdict = outcome.verdict
    for name, some in (
        ("lost", verdict.lost),
        ("answered twice", verdict.twice),
        ("workers that did not come back", verdict.away),
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
