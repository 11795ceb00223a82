"""What runs containers here, and what an image's build is told of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import container, image, system, worker
from tools.errors import SetupError
from tools.worker import CHECKOUT


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return folder


def test_docker_where_it_works(programs: Path) -> None:
    program(programs, "docker", "exit 0")
    program(programs, "podman", "exit 0")
    found = container.find()
    assert found is not None
    assert found.name == "docker"


def test_podman_where_docker_has_no_daemon(programs: Path) -> None:
    program(programs, "docker", "exit 1")
    program(programs, "podman", "exit 0")
    found = container.find()
    assert found is not None
    assert found.is_podman


def test_neither(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "docker", "exit 1")
    assert container.find() is None
    with pytest.raises(SetupError, match="An image needs what Debian calls podman"):
        container.get(tmp_path / "log")
    program(programs, "apt-get", "exit 0")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError, match="sudo apt-get install -y podman"):
        container.get(tmp_path / "log")


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_without_either_the_images_tests_are_skipped_aloud_and_fail_in_ci(
    programs: Path, tmp_path: Path, ci: str, outcome: str
) -> None:
    command = [sys.executable, "-m", "pytest", "-rsE", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "tests/image/test_image.py", "-k", "what_the_image_says"],
        cwd=CHECKOUT,
        env={"PATH": str(programs), "HOME": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
    )
    assert outcome in done.stdout.splitlines()[-1], done.stdout
    assert "An image needs what Debian calls podman" in done.stdout


def test_one_that_is_installed_and_does_not_work(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(programs, "podman", "echo no store >&2; exit 1")
    monkeypatch.setattr(system, "install_packages", lambda *_: None)
    with pytest.raises(SetupError, match="does not work; it says: no store"):
        container.get(tmp_path / "log")


def test_what_failed_is_said(programs: Path) -> None:
    program(programs, "podman", "echo the reason >&2; exit 125")
    with pytest.raises(SetupError, match="podman run x failed:\nthe reason"):
        container.Tool("podman").run("run", "x", "y")


def machine(root: Path, *, version_2: bool, systemd: bool, capabilities: str) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/status").write_text(f"Name:\tx\nCapEff:\t{capabilities}\n")
    if version_2:
        (root / "sys/fs/cgroup").mkdir(parents=True)
        (root / "sys/fs/cgroup/cgroup.controllers").touch()
    if systemd:
        (root / "run/systemd/system").mkdir(parents=True)
    return root


def test_what_podman_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    bare = machine(tmp_path / "a", version_2=False, systemd=False, capabilities="a80425fb")
    text = container._settings(bare)
    assert 'runtime = "runc"' in text
    assert 'cgroup_manager = "cgroupfs"' in text
    assert "default_ulimits" in text
    usual = machine(tmp_path / "b", version_2=True, systemd=True, capabilities="1ffffffffff")
    text = container._settings(usual)
    assert "runc" not in text
    assert "cgroup_manager" not in text
    assert "default_ulimits" not in text
    (usual / "etc/containers").mkdir(parents=True)
    (usual / "etc/containers/containers.conf").touch()
    assert container._settings(usual) == ""


def test_the_builds_pip_is_told_what_ours_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.test/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "file:///nowhere https://more.test/simple")
    monkeypatch.setenv("PIP_CONSTRAINT", "/etc/constraints.txt")
    text = image.builder_secrets()["pip.conf"]
    assert "index-url = https://index.test/simple\n" in text
    assert "extra-index-url = https://more.test/simple\n" in text
    assert "nowhere" not in text
    assert "constraint" not in text


def test_an_environment_over_another_one(tmp_path: Path) -> None:
    above, below = tmp_path / "above", tmp_path / "below"
    packages = above / "lib/python3.12/site-packages"
    packages.mkdir(parents=True)
    assert image._below(above) is None
    (packages / "under.pth").write_text(f"{below}/lib/python3.12/site-packages\n")
    assert image._below(above) == below


def test_the_interpreter_behind_an_environment(tmp_path: Path) -> None:
    config = tmp_path / "pyvenv.cfg"
    config.write_text("home = /opt/pythons/3.12/bin\nversion = 3.12.1\n")
    assert image._interpreter(tmp_path) == Path("/opt/pythons/3.12")
    config.write_text("home = /usr/bin\nversion = 3.12.1\n")
    assert image._interpreter(tmp_path) is None


def test_a_base_without_a_python_that_fits_gets_one_from_uv(tmp_path: Path) -> None:
    """The script of the image, on a system whose only Python is too old."""
    checkout = tmp_path / "worker"
    for name in ("image/worker-env.sh", "tools/find-python.sh"):
        target = checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((CHECKOUT / name).read_bytes())
        target.chmod(0o755)
    programs = tmp_path / "bin"
    program(programs, "python3", "exit 1")
    made = 'mkdir -p .venv/bin; printf "#!/bin/sh\\necho \\$@ >> calls\\n" > .venv/bin/python'
    program(programs, "uv", f'echo "uv $UV_PYTHON_INSTALL_DIR $*" > calls; {made}; '
            "chmod +x .venv/bin/python")  # fmt: skip
    for name in ("dirname", "mkdir", "chmod", "rm", "sh"):
        (programs / name).symlink_to(f"/bin/{name}" if name != "dirname" else "/usr/bin/dirname")
    subprocess.run([checkout / "image/worker-env.sh"], env={"PATH": str(programs)}, check=True)
    first, second, third, *_ = (checkout / "calls").read_text().splitlines()
    assert first == f"uv {checkout}/.python venv --managed-python --python 3.12 .venv"
    assert second == "-m ensurepip"
    by_hash = " ".join(worker.BY_HASH)
    assert third == f"-m pip install {by_hash} -r {worker.LOCK}"
