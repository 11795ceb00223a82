"""Pin what is built from: `python3 -m tools.pin [wheels|bases] [--upgrade]`, by default both.

wheels   constraints.txt, the version of every package; requirements.lock, the same for the worker
         alone with the hash of each file; image/uv.txt, that of uv
bases    image/bases.txt, the digests of the images of vLLM that the published ones are built on
"""

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools import digests
from tools.errors import SetupError, reported
from tools.worker import BY_HASH, CHECKOUT, LOCK

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")
# Every Python and platform in one file; the certificates of this system, as pip has them.
COMPILE = [
    "pip",
    "compile",
    "--quiet",
    "--universal",
    "--python-version",
    PYTHONS[0],
    "--no-annotate",
]
COMPILE += ["--system-certs", "--custom-compile-command", "make pin"]


def compiling(upgrade: bool) -> list[list[str]]:
    """What uv is asked, one after the other: the first file is the frame of the others.

    A package keeps its version as long as the requirements allow it, unless `upgrade`.
    """
    newer = ["--upgrade"] if upgrade else []
    frame = ["--constraints", "constraints.txt", "--generate-hashes"]
    return [
        [*COMPILE, *newer, "requirements-dev.txt", "--output-file=constraints.txt"],
        [*COMPILE, "requirements.txt", *frame, f"--output-file={LOCK}"],
        [*COMPILE, "-", *frame, "--output-file=image/uv.txt"],
    ]


def wheels(checkout: Path, upgrade: bool) -> None:
    """Write the files of packages; raises SetupError with what uv says."""
    for asked in compiling(upgrade):
        name = asked[-1].partition("=")[2]
        _uv(checkout, asked, f"{name} could not be written", given="uv\n")


def look_for_wheels(checkout: Path) -> None:
    """See that each Python on each machine has a wheel of everything; raises SetupError."""
    asked = ["pip", "install", "--dry-run", "--quiet", "--system-certs", *BY_HASH, "-r", LOCK]
    with tempfile.TemporaryDirectory() as nowhere:
        for machine in MACHINES:
            for version in PYTHONS:
                on = ["--python-platform", machine, "--python-version", version]
                failure = f"{LOCK} cannot be installed on {machine} {version}"
                _uv(checkout, [*asked, f"--target={nowhere}", *on], failure)


def _uv(checkout: Path, arguments: Sequence[str], failure: str, given: str = "") -> None:
    done = subprocess.run(
        [str(checkout / ".venv/bin/uv"), *arguments],
        cwd=checkout,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetupError(f"{failure}; uv says:\n{done.stderr.strip()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="tools.pin", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["wheels", "bases"], help="default: both")
    parser.add_argument("--upgrade", action="store_true", help="take newer packages")
    asked = parser.parse_args(arguments)
    if asked.what != "bases":
        wheels(CHECKOUT, asked.upgrade)
        look_for_wheels(CHECKOUT)
    if asked.what != "wheels":
        digests.write(digests.FILE, {name: digests.asked(name) for name in digests.published()})
    return 0


if __name__ == "__main__":
    raise SystemExit(reported(main))
