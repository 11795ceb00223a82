"""The package as a new user installs it: built, put into an empty environment, and run."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from email.parser import HeaderParser
from pathlib import Path

import pytest

from supervisor import __version__
from supervisor.catalog import versions
from tests.client import PATIENCE
from tests.processes import ROOT

VLLM = "0.33.0"
COMMANDS = ("run", "explain", "status", "catalog", "bake", "doctor")
#: What runs the worker stays in the tree.
LEFT_OUT = ("worker", "link", "diagnosis", "telemetry")


def ran(
    *command: str | Path, cwd: Path, code: int = 0, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), **(env or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network by the pinned backend."""
    folder = tmp_path_factory.mktemp("dist")
    offline = ("--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check")
    pip = (sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, ROOT)
    ran(*pip, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


def environment(folder: Path, wheel: Path) -> Path:
    """The wheel in the virtual environment `folder`, made if there is none; its bin folder."""
    if not folder.exists():
        ran(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    pip = (sys.executable, "-m", "pip", "--python", folder, "--disable-pip-version-check")
    ran(*pip, "install", "--no-index", "--no-deps", wheel, cwd=folder.parent)
    return folder / "bin"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but the wheel; its bin folder."""
    return environment(tmp_path_factory.mktemp("user") / "venv", wheel)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the user works: a folder with an .env file, and no checkout near."""
    (tmp_path / ".env").write_text("MODEL_NAME=org/m\nMAX_MODEL_LEN=8k\nHF_TOKEN=hf_secret123\n")
    return tmp_path


def explained(text: str) -> None:
    """What the .env file becomes on vLLM 0.33.0."""
    shown = json.loads(text)
    assert shown["vllm_version"] == VLLM
    assert shown["command"][:3] == ["vllm", "serve", "org/m"]
    assert "--max-model-len=8k" in shown["command"]
    assert shown["errors"] == []
    assert "hf_secret123" not in text


def test_what_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"vllm_supervisor-{__version__}.dist-info"
        metadata = HeaderParser().parsestr(archive.read(f"{info}/METADATA").decode())
    assert wheel.name == f"vllm_supervisor-{__version__}-py3-none-any.whl"
    assert {name.partition("/")[0] for name in names} == {"vllm_supervisor", info}
    assert not [name for name in names if name.split("/")[1] in LEFT_OUT]
    assert not [name for name in names if "/kept/" in name or name.endswith(".pyc")]
    for version in versions.known():
        assert f"vllm_supervisor/catalog/known/vllm-{version}.json" in names
    assert "vllm_supervisor/gate/vllm_supervisor_gate.py" in names
    assert metadata["Version"] == __version__
    assert metadata.get_all("Requires-Dist") is None
    assert f"{info}/licenses/LICENSE" in names


def test_explain_on_a_laptop(installed: Path, home: Path) -> None:
    command = (installed / "vllm-supervisor", "explain", "--vllm", VLLM, "--env-file", ".env")
    explained(ran(*command, "--json", cwd=home).stdout)
    version = ran(installed / "vllm-supervisor", "--version", cwd=home).stdout
    assert version == f"vllm-supervisor {__version__}\n"
    text = ran(*command, cwd=home)
    assert text.stdout.startswith(f"mode plain, vLLM {VLLM}\n")
    assert text.stderr == ""
    unknown = (installed / "vllm-supervisor", "explain", "--vllm", "0.1")
    assert ", ".join(versions.known()) in ran(*unknown, cwd=home, code=2).stderr


def test_explain_shows_the_gate_where_it_is(installed: Path, home: Path) -> None:
    (home / ".env").write_text("MODEL_NAME=org/m\nVLLM_API_KEY=sesame-1, sesame-2\n")
    command = ("explain", "--json", "--vllm", VLLM, "--env-file", ".env")
    done = ran(installed / "vllm-supervisor", *command, cwd=home)
    shown = json.loads(done.stdout)
    assert "--middleware=vllm_supervisor_gate.Gate" in shown["command"]
    assert (Path(shown["engine_env"]["PYTHONPATH"]) / "vllm_supervisor_gate.py").is_file()
    assert shown["warnings"] == []
    assert "sesame" not in done.stdout


def test_the_very_command_of_the_readme(wheel: Path, home: Path) -> None:
    """By uv, which may not reach for a network: there is nothing to fetch."""
    line = "uvx --from WHEEL vllm-supervisor explain --vllm 0.33.0 --env-file .env"
    readme = (ROOT / "README.md").read_text()
    assert line.replace("WHEEL", f"./dist/{wheel.name}") in readme
    uvx = Path(sys.executable).with_name("uvx")
    words = [wheel if word == "WHEEL" else word for word in line.split()[1:]]
    env = {"UV_OFFLINE": "1", "UV_PYTHON": sys.executable, "UV_CACHE_DIR": str(home / "cache")}
    explained(ran(uvx, *words, "--json", cwd=home, env=env).stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(installed: Path, home: Path, command: str) -> None:
    done = ran(installed / "vllm-supervisor", command, "--help", cwd=home)
    assert done.stdout.startswith(f"usage: vllm-supervisor {command} ")


def test_the_worker_is_not_in_it_and_it_says_where_it_is(installed: Path, home: Path) -> None:
    for arguments in (("run",), ()):
        done = ran(installed / "vllm-supervisor", *arguments, cwd=home, code=2)
        assert done.stdout == ""
        (sentence,) = done.stderr.splitlines()
        assert sentence.startswith("error: this package holds the command line alone: run the")


def test_the_other_commands_work_without_an_engine_or_a_worker(installed: Path, home: Path) -> None:
    program, env = installed / "vllm-supervisor", {"VLLM_COMMAND": "/nowhere/vllm"}
    free = {"VLLM_PORT": "1", "PORT_HEALTH": "2"}  # nobody listens there
    doctor = ran(program, "doctor", cwd=home, code=1, env={**env, **free})
    assert doctor.stdout.startswith("bad ")
    assert doctor.stderr == ""
    assert "no worker answers" in ran(program, "status", cwd=home, code=1, env=free).stderr
    assert "was not found" in ran(program, "catalog", cwd=home, code=127, env=env).stderr
    assert "MODEL_NAME is not set" in ran(program, "bake", cwd=home, code=78, env=env).stderr
    module = ran(installed / "python", "-m", "vllm_supervisor", "--help", cwd=home)
    assert module.stdout.startswith("usage: python -m vllm_supervisor ")


def test_every_module_of_it_can_be_imported(installed: Path, home: Path) -> None:
    """Nothing in it reaches for what was left out. What another interpreter runs is apart."""
    code = (
        "import importlib, pkgutil, vllm_supervisor as p\n"
        "for m in pkgutil.walk_packages(p.__path__, 'vllm_supervisor.'):\n"
        "    if not m.name.endswith('__main__'): print(importlib.import_module(m.name).__name__)\n"
    )
    names = ran(installed / "python", "-W", "error", "-c", code, cwd=home).stdout.split()
    assert "vllm_supervisor.models.bake" in names
    assert "vllm_supervisor.foreign.introspect.entry" in names
    assert not [name for name in names if name.split(".")[1] in LEFT_OUT]


# --- beside the other package called supervisor ---


def whole(packages: Path, name: str) -> set[str]:
    """The files of an installed distribution, all of which are there."""
    (record,) = packages.glob(f"{name}-*.dist-info/RECORD")
    with record.open(newline="") as lines:
        files = {row[0] for row in csv.reader(lines) if "__pycache__" not in row[0]}
    assert files
    assert not [file for file in files if not (packages / file).exists()]
    return files


@pytest.mark.e2e
def test_beside_the_supervisor_of_pypi_both_are_whole(
    wheel: Path, home: Path, tmp_path: Path
) -> None:
    """VLLM's environment has a package called supervisor: the one of supervisord."""
    engine = Path(os.environ["VLLM_COMMAND"]).parents[1]
    (theirs,) = engine.glob("lib/python*/site-packages")
    venv = tmp_path / "venv"
    ran(engine / "bin" / "python", "-m", "venv", "--without-pip", venv, cwd=tmp_path)
    (packages,) = venv.glob("lib/python*/site-packages")
    for file in whole(theirs, "supervisor"):
        (packages / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(theirs / file, packages / file)
    bin_folder = environment(venv, wheel)
    before, ours = whole(packages, "supervisor"), whole(packages, "vllm_supervisor")
    assert not before & ours
    for file in before:
        assert (packages / file).read_bytes() == (theirs / file).read_bytes()
    daemon = "from supervisor import supervisord; print(supervisord.__file__)"
    said = ran(bin_folder / "python", "-W", "ignore", "-c", daemon, cwd=home).stdout
    assert said.startswith(str(packages / "supervisor"))
    command = ("explain", "--json", "--vllm", VLLM, "--env-file", ".env")
    explained(ran(bin_folder / "vllm-supervisor", *command, cwd=home).stdout)
