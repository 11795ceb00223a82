"""What the worker is installed from is complete, by hash, and what the requirements ask for."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import PATIENCE
from tools import digests, pin
from tools.errors import SetupError
from tools.worker import CHECKOUT, LOCK

UV = CHECKOUT / ".venv/bin/uv"
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def locked(name: str) -> dict[str, tuple[str, str]]:
    """Each package of a file: its version, and the rest of its lines."""
    text = (CHECKOUT / name).read_text().replace("\\\n", " ")
    rows = re.findall(r"^([\w.-]+)==(\S+)(.*)$", text, re.MULTILINE)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(rows) == len(lines), "a line that is no package"
    return {_plain(package): (version, rest) for package, version, rest in rows}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", [LOCK, "image/uv.txt"])
def test_every_package_has_hashes(name: str) -> None:
    for package, (_, rest) in locked(name).items():
        assert HASH.search(rest), package


def test_what_is_asked_for_is_locked_and_nothing_differs() -> None:
    asked = dict(
        re.findall(r"^([\w.-]+)==(\S+)", (CHECKOUT / "requirements.txt").read_text(), re.MULTILINE)
    )
    assert len(asked) > 5
    lock, frame = locked(LOCK), locked("constraints.txt")
    for package, version in asked.items():
        assert lock[_plain(package)][0] == version
    for package, (version, _) in {**lock, **locked("image/uv.txt")}.items():
        assert frame[package][0] == version


def test_what_is_installed_here_is_locked() -> None:
    """This environment's own packages, as they ask for each other."""
    lock = locked(LOCK)
    for package in asked_for("runpod", "httpx", "aiohttp", "pydantic"):
        assert lock[package][0] == importlib.metadata.version(package)


def asked_for(*names: str) -> Iterator[str]:
    """What is installed of these and, without their extras, of what they need."""
    waiting, seen = list(names), set()
    while waiting:
        name = _plain(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        yield name
        waiting += [re.split(r"[^\w.-]", line)[0] for line in needed if ";" not in line]


def test_the_tools_of_this_environment_are_the_frames() -> None:
    frame = locked("constraints.txt")
    for package in asked_for("pytest", "mypy", "hypothesis"):
        assert frame[package][0] == importlib.metadata.version(package)


def test_the_first_file_is_the_frame_of_the_others() -> None:
    first, *others = pin.compiling(upgrade=True)
    assert "--upgrade" in first
    assert "--generate-hashes" not in first
    for each in others:
        assert "--upgrade" not in each
        assert each[each.index("--constraints") + 1] == "constraints.txt"
        assert "--generate-hashes" in each
    assert not any("--upgrade" in each for each in pin.compiling(upgrade=False))


def test_what_uv_says_of_a_fault_is_told(tmp_path: Path) -> None:
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/uv").symlink_to(UV)
    (tmp_path / "requirements-dev.txt").write_text("no == version\n")
    with pytest.raises(SetupError, match=r"constraints\.txt could not be written; uv says:\n\S"):
        pin.wheels(tmp_path, upgrade=False)


def test_a_machine_without_a_wheel_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uv is asked for the real lock's place, and has no index at all here."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/uv").symlink_to(UV)
    (tmp_path / LOCK).write_text("thing==1.0 --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    with pytest.raises(SetupError, match=r"cannot be installed on x86_64-manylinux_2_28 3\.11"):
        pin.look_for_wheels(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "done"),
    [
        ([], ["wheels", False, "bases"]),
        (["--upgrade"], ["wheels", True, "bases"]),
        (["wheels"], ["wheels", False]),
        (["bases"], ["bases"]),
    ],
)
def test_what_is_asked_for_is_pinned(
    arguments: list[str], done: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(pin, "wheels", lambda _, upgrade: seen.extend(["wheels", upgrade]))
    monkeypatch.setattr(pin, "look_for_wheels", lambda _: None)
    monkeypatch.setattr(digests, "FILE", tmp_path / "bases.txt")
    monkeypatch.setattr(digests, "asked", lambda name: f"sha256:{len(name):064x}")
    assert pin.main(arguments) == 0
    if (tmp_path / "bases.txt").exists():
        seen.append("bases")
        assert set(digests.read(tmp_path / "bases.txt")) == set(digests.published())
    assert seen == done


def test_the_pythons_are_those_that_are_checked() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    assert f"PYTHONS := {' '.join(pin.PYTHONS)}\n" in makefile
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={pin.PYTHONS[0]}"


def test_a_version_that_is_pinned_stays(tmp_path: Path) -> None:
    """By the frame: without a network, from wheels that are here."""
    for version in ("1.0", "2.0"):
        wheel(tmp_path / "index", "thing", version)
    (tmp_path / "wanted.txt").write_text("thing\n")
    (tmp_path / "frame.txt").write_text("thing==1.0\n")
    command = [str(UV), *pin.COMPILE, "wanted.txt", "-o", "lock.txt", "--offline", "--no-index"]
    command += [f"--find-links={tmp_path / 'index'}", "--generate-hashes", "-c", "frame.txt"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=PATIENCE)
    text = (tmp_path / "lock.txt").read_text()
    assert "thing==1.0 \\\n    --hash=sha256:" in text
    assert "make pin" in text


def wheel(folder: Path, name: str, version: str, content: str = "") -> Path:
    """A wheel that holds one module."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", content)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path
