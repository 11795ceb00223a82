"""Where the model is, for one start."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.around.processes import ROOT
from tests.hub.serving import hub
from tools.run import DEMO_MODEL

LOCAL, HUB, VOLUME, SECOND = "local", "hub", "volume", "second"
SETUPS = (LOCAL, HUB, VOLUME, SECOND)
REPOSITORY = "org/demo"
_SLOW_S = 28.0  # that the model takes from a slow place; beside a start it must say something
_OFFLINE = {"HF_HUB_OFFLINE": "1"}


class NoVolumeError(Exception):
    """None can be mounted here."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is served, and the variables with which it is found."""

    model: str
    env: dict[str, str]


@dataclass
class Setups:
    """The four set-ups, with files in `folder`. A place holds for one start."""

    folder: Path
    _filled: dict[str, Path] = field(default_factory=dict)  # homes, by contender
    _number: int = 0

    @contextlib.contextmanager
    def place(self, setup: str, contender: str) -> Iterator[Place]:
        """A place for one start of a contender.

        Raises:
            NoVolumeError: with the reason.
        """
        match setup:
            case "hub":
                home = self._new_home()
                with self._of_hub(home) as place:
                    yield place
                self._filled[contender] = home
            case "second":
                with self._of_hub(self._filled[contender]) as place:
                    yield place
            case "volume":
                with mounted(self.folder) as folder:
                    yield self._of_folder(folder)
            case _:
                yield self._of_folder(DEMO_MODEL)

    def is_filled(self, contender: str) -> bool:
        """Whether a second start of it can be measured: after its first one from the hub."""
        return contender in self._filled

    @contextlib.contextmanager
    def _of_hub(self, home: Path) -> Iterator[Place]:
        with hub("--slow", str(int(_size() / _SLOW_S)), demo=DEMO_MODEL) as url:
            yield Place(REPOSITORY, {"HOME": str(home), "HF_ENDPOINT": url})

    def _of_folder(self, folder: Path) -> Place:
        return Place(str(folder), {"HOME": str(self._home("home")), **_OFFLINE})

    def _new_home(self) -> Path:
        self._number += 1
        return self._home(f"home-{self._number}")

    def _home(self, name: str) -> Path:
        home = self.folder / name
        home.mkdir(exist_ok=True)
        return home


def _size() -> int:
    """Bytes of the model."""
    return sum(path.stat().st_size for path in DEMO_MODEL.iterdir())


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """The model on a slow volume that nobody has read yet.

    Raises:
        NoVolumeError: with the reason.
    """
    place = folder / "volume"
    place.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "bench.around.volume", str(DEMO_MODEL), str(place)]
    rate = f"--rate={_size() / _SLOW_S:.0f}"
    with subprocess.Popen([*command, rate], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout  # noqa: S101 - for the type checker
        if (said := process.stdout.readline().strip()) != "mounted":
            raise NoVolumeError(said or "the volume's process ended")
        try:
            yield place
        finally:
            process.terminate()
            process.wait(30)
