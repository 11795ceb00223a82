"""The worker's environment, `.venv` in the checkout, and what developers need on top of it."""

from pathlib import Path

from tools import bytecode, folder
from tools.environment import Build, Environment, Layer, Step, make_venv

CHECKOUT = Path(__file__).resolve().parent.parent
#: Every package of the worker's environment, with the hashes of its files.
LOCK = "requirements.lock"
#: The lock is complete, so that pip need not look for more (and older ones cannot, beside hashes);
#: nothing is built here, because what a build pulls in has no hashes.
BY_HASH = ("--no-deps", "--require-hashes", "--only-binary=:all:")


def environment(dev: bool = False, checkout: Path = CHECKOUT) -> Environment:
    """Describe the worker's environment, with the developers' layer if `dev`."""
    path = checkout / ".venv"
    # Locks and logs lie in the cache that all checkouts share, so each has a name of its own.
    name = f"worker-{folder.key_of([str(checkout)])}"
    layers = [_worker(checkout)]
    if dev:
        layers.append(_dev(checkout))
    return Environment(name, path, layers)


def _worker(checkout: Path) -> Layer:
    def install(build: Build) -> None:
        build.pip(*BY_HASH, "-r", str(checkout / LOCK))
        bytecode.compile_all(build.path)

    steps = [Step("creating .venv", make_venv), Step(f"installing {LOCK}", install)]
    return Layer("worker", _key(checkout, LOCK), steps)


def _dev(checkout: Path) -> Layer:
    requirements, pins = "requirements-dev.txt", "constraints.txt"

    def install(build: Build) -> None:
        build.pip("-r", str(checkout / requirements), "-c", str(checkout / pins))
        bytecode.compile_all(build.path)

    key = _key(checkout, LOCK, pins, requirements)
    return Layer("dev", key, [Step(f"installing {requirements}", install)])


def _key(checkout: Path, *files: str) -> str:
    return folder.key_of([(checkout / file).read_text(encoding="utf-8") for file in files])
