"""Layers are made once, in order, and again where a try was broken off."""

import io
from pathlib import Path

import pytest

from tools.environment import Build, Environment, Layer, Step, ensure
from tools.errors import SetupError
from tools.progress import Progress


class Installer:
    """Stands in for pip: notes what it was asked for, fails where it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: list[str] = []
        self.fails_at = ""

    def step(self, name: str) -> Step:
        def action(build: Build) -> None:
            if name == self.fails_at:
                raise SetupError(f"{name} failed.")
            self.done.append(name)
            (build.path / "bin").mkdir(parents=True, exist_ok=True)
            (build.path / "bin" / "python").touch()
            (build.path / name).touch()

        return Step(name, action)

    def environment(self, *keys: str) -> Environment:
        names = ("worker", "dev")
        layers = [
            Layer(name, key, [self.step(f"{name}-a"), self.step(f"{name}-b")])
            for name, key in zip(names, keys, strict=False)
        ]
        return Environment("worker", self.path, layers)


@pytest.fixture
def installer(tmp_path: Path) -> Installer:
    return Installer(tmp_path / "env")


def make(installer: Installer, *keys: str) -> str:
    out = io.StringIO()
    root = installer.path.parent / "cache"
    ensure([installer.environment(*keys)], root, lambda total: Progress(total, out))
    return out.getvalue()


def test_everything_is_made_once(installer: Installer) -> None:
    make(installer, "k")
    assert make(installer, "k") == ""
    assert installer.done == ["worker-a", "worker-b"]


def test_steps_are_numbered_over_all_layers(installer: Installer) -> None:
    assert "[4/4] dev: dev-b" in make(installer, "k", "d")


def test_a_second_layer_goes_on_top_of_the_first(installer: Installer) -> None:
    make(installer, "k")
    make(installer, "k", "d")
    assert installer.done == ["worker-a", "worker-b", "dev-a", "dev-b"]


def test_a_broken_off_environment_is_made_again_from_nothing(installer: Installer) -> None:
    installer.fails_at = "worker-b"
    with pytest.raises(SetupError):
        make(installer, "k")
    installer.fails_at = ""
    (installer.path / "rest").touch()
    make(installer, "k")
    assert installer.done == ["worker-a", "worker-a", "worker-b"]
    assert not (installer.path / "rest").exists()


def test_a_failed_second_layer_leaves_the_first(installer: Installer) -> None:
    installer.fails_at = "dev-a"
    with pytest.raises(SetupError):
        make(installer, "k", "d")
    assert make(installer, "k") == ""


def test_other_requirements_make_it_again(installer: Installer) -> None:
    make(installer, "k", "d")
    make(installer, "k2")
    assert installer.done[-2:] == ["worker-a", "worker-b"]
    assert not (installer.path / "dev-a").exists()
