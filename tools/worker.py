"""The worker's environment, `.venv` in the checkout, and what developers need on top of it."""

from pathlib import Path

from tools import bytecode, folder
from tools.environment import Build, Environment, Layer, Step, make_venv

CHECKOUT = Path(__file__).resolve().parent.parent


def environment(dev: bool = False, checkout: Path = CHECKOUT) -> Environment:
    """Describe the worker's environment, with the developers' layer if `dev`."""
    path = checkout / ".venv"
    # Locks and logs lie in the cache that all checkouts share, so each has a name of its own.
    name = f"worker-{folder.key_of([str(checkout)])}"
    layers = [_layer("worker", "requirements.txt", checkout, [Step("creating .venv", make_venv)])]
    if dev:
        layers.append(_layer("dev", "requirements-dev.txt", checkout, []))
    return Environment(name, path, layers)


def _layer(name: str, requirements: str, checkout: Path, before: list[Step]) -> Layer:
    def install(build: Build) -> None:
        pins = str(checkout / "constraints.txt")
        build.pip("-r", str(checkout / requirements), "-c", pins)
        bytecode.compile_all(build.path)

    files = ["requirements.txt", "constraints.txt", requirements]
    key = folder.key_of([(checkout / file).read_text(encoding="utf-8") for file in files])
    return Layer(name, key, [*before, Step(f"installing {requirements}", install)])
