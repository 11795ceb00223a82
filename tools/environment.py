"""An environment as layers of steps, and the making of those that are not there yet."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools import commands, folder, pip, system
from tools.errors import SetupError
from tools.progress import Progress


@dataclass(frozen=True)
class Build:
    """What a step works on."""

    path: Path  # the virtual environment
    log: Path
    progress: Progress

    @property
    def python(self) -> str:
        """The environment's interpreter."""
        return str(self.path / "bin" / "python")

    def pip(self, *arguments: str, quiet_if_missing: bool = False) -> None:
        """Run `pip install` in it; raises SetupError."""
        pip.install(
            self.path, self.log, self.progress, *arguments, quiet_if_missing=quiet_if_missing
        )


@dataclass(frozen=True)
class Step:
    """One numbered step: its title, and what it does."""

    title: str
    action: Callable[[Build], None]


@dataclass(frozen=True)
class Layer:
    """Steps that count as done together, under one marker."""

    name: str
    key: str
    steps: Sequence[Step]


@dataclass(frozen=True)
class Environment:
    """A virtual environment: where it is, and its layers from the ground up."""

    name: str  # of its lock and its log
    path: Path
    layers: Sequence[Layer] = field(default_factory=tuple)

    def missing(self) -> list[Layer]:
        """Return the layers that have to be made, all of them from the first gap upwards."""
        for number, layer in enumerate(self.layers):
            if not folder.is_complete(self.path, layer.name, layer.key):
                return list(self.layers[number:])
        return []


def ensure(
    environments: Sequence[Environment],
    root: Path,
    progress: Callable[[int], Progress] = Progress,
) -> None:
    """Make what is missing, with locks and logs below `root`; raises SetupError."""
    planned = {each.name: _steps(each) for each in environments}
    if not any(planned.values()):
        return
    display = progress(sum(planned.values()))
    for each in environments:
        if planned[each.name]:
            with folder.locked(each.name, root, display.say):
                display.skip(planned[each.name] - _steps(each))
                _make(each, root / f"{each.name}.log", display)


def _steps(environment: Environment) -> int:
    return sum(len(layer.steps) for layer in environment.missing())


def _make(environment: Environment, log: Path, display: Progress) -> None:
    missing = environment.missing()
    if len(missing) == len(environment.layers) and missing:
        folder.remove(environment.path)
        log.unlink(missing_ok=True)
    build = Build(environment.path, log, display)
    for layer in missing:
        for step in layer.steps:
            with display.step(f"{layer.name}: {step.title}"):
                step.action(build)
        folder.remove(environment.path / ".tmp")
        folder.mark(environment.path, layer.name, layer.key)


def make_venv(build: Build) -> None:
    """Make an empty virtual environment with this Python; raises SetupError."""
    system.need_venv(build.log)
    command = [sys.executable, "-m", "venv", str(build.path)]
    if commands.run(command, build.log) != 0:
        raise SetupError(
            f"No virtual environment could be made in {build.path}: {build.log} says why."
        )
