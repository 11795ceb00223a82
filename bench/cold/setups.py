"""Where the model is, for one start."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests import fuse
from tests.hub.serving import hub
from tools.run import DEMO_MODEL

LOCAL, HUB, VOLUME, SECOND = "local", "hub", "volume", "second"
SETUPS = (LOCAL, HUB, VOLUME, SECOND)
REPOSITORY = "org/demo"
SLOW_S = 18.0  # that the model takes from a slow place; beside a start it must say something
_OFFLINE = {"HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True, slots=True)
class Place:
    """What is served, and the variables with which it is found."""

    model: str
    env: dict[str, str]


@dataclass
class Setups:
    """The four set-ups, with files in `folder`. A place holds for one start.

    `slow_s` is how long the model takes from a slow place, in seconds.
    """

    folder: Path
    slow_s: float = SLOW_S
    _filled: dict[str, Path] = field(default_factory=dict)  # homes, by contender
    _number: int = 0

    @contextlib.contextmanager
    def place(self, setup: str, contender: str) -> Iterator[Place]:
        """A place for one start of a contender.

        Raises:
            fuse.NoVolumeError: with the reason.
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
                with mounted(self.folder, self.slow_s) as folder:
                    yield self._of_folder(folder)
            case _:  # as a new container has it
                yield self._of_folder(DEMO_MODEL)

    def is_filled(self, contender: str) -> bool:
        """Whether a second start of it can be measured: after its first one from the hub."""
        return contender in self._filled

    @contextlib.contextmanager
    def _of_hub(self, home: Path) -> Iterator[Place]:
        with hub("--slow", str(int(_size() / self.slow_s)), demo=DEMO_MODEL) as url:
            yield Place(REPOSITORY, {"HOME": str(home), "HF_ENDPOINT": url})

    def _of_folder(self, folder: Path) -> Place:
        return Place(str(folder), {"HOME": str(self._new_home()), **_OFFLINE})

    def _new_home(self) -> Path:
        self._number += 1
        home = self.folder / f"home-{self._number}"
        home.mkdir()
        return home


def _size() -> int:
    """Bytes of the model."""
    return sum(path.stat().st_size for path in DEMO_MODEL.iterdir())


@contextlib.contextmanager
def mounted(folder: Path, slow_s: float = SLOW_S) -> Iterator[Path]:
    """The model on a slow volume that nobody has read yet.

    Raises:
        fuse.NoVolumeError: with the reason.
    """
    rate = f"--rate={_size() / slow_s:.0f}"
    with fuse.mounted(folder / "volume", DEMO_MODEL, rate, "--keep-cache") as place:
        yield place
