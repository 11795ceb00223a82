"""What the operating system has to bring: disk space, shared libraries, Python's own venv."""

import ctypes
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools import commands
from tools.errors import SetupError

# What the CPU build links to and no wheel carries (readelf -d on vllm/_C*.so and torch/lib/*.so),
# with the package of Debian and Ubuntu that has it.
ENGINE_LIBRARIES = {
    "libnuma.so.1": "libnuma1",
    "libstdc++.so.6": "libstdc++6",
    "libgomp.so.1": "libgomp1",
    "libz.so.1": "zlib1g",
}


def need_space(folder: Path, gigabytes: float) -> None:
    """Raise SetupError if the disk that will hold `folder` has less than `gigabytes` free."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free < gigabytes:
        raise SetupError(
            f"The engine needs about {gigabytes:.0f} GB in {folder.parent} and {free:.1f} GB are "
            "left: free some, or set XDG_CACHE_HOME to a folder on a larger disk."
        )


def loads(library: str) -> bool:
    """Tell whether the dynamic linker finds `library`."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def need_libraries(
    log: Path,
    wanted: Mapping[str, str] = ENGINE_LIBRARIES,
    found: Callable[[str], bool] = loads,
) -> None:
    """Install what is missing of `wanted` (library to package) or raise SetupError."""
    missing = sorted({package for library, package in wanted.items() if not found(library)})
    if missing:
        install_packages(missing, "vLLM's CPU build", log)


def need_venv(log: Path) -> None:
    """See that this Python can make virtual environments: Debian keeps half of that apart."""
    if not _can_make_venv(log):
        name = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        install_packages([name], "Python's venv", log)
        if not _can_make_venv(log):
            raise SetupError(
                f"{sys.executable} cannot make virtual environments (no ensurepip): "
                "name another Python with PYTHON=/path/to/python3."
            )


def install_packages(packages: list[str], purpose: str, log: Path) -> None:
    """Install system `packages` with apt-get if we may; else raise SetupError with the command."""
    names = " ".join(packages)
    _need_apt(names, purpose)
    if os.geteuid() != 0:
        raise _by_hand(names, purpose)
    install = ["install", "-y", "--no-install-recommends", *packages]
    # A fresh container has no package lists yet.
    if not _apt([install, ["update"], install], log):
        raise SetupError(
            f"{purpose} needs {names}, and `apt-get install -y {names}` failed: {log} says why."
        )


def unpack_package(package: str, target: Path, purpose: str, log: Path) -> None:
    """Unpack system `package` into the folder `target`, or raise SetupError with the command.

    Nothing is installed: no script of the package runs and no service of it starts. Root is needed
    only where apt has no package lists yet.
    """
    _need_apt(package, purpose)
    target.mkdir(parents=True, exist_ok=True)
    download = ["download", package]
    tries = [download, ["update"], download] if os.geteuid() == 0 else [download]
    if _apt(tries, log, cwd=target):
        (archive,) = target.glob("*.deb")
        if commands.run(["dpkg-deb", "-x", str(archive), str(target)], log) == 0:
            archive.unlink()
            return
    raise _by_hand(package, purpose)


def _need_apt(names: str, purpose: str) -> None:
    if shutil.which("apt-get") is None:
        raise SetupError(
            f"{purpose} needs what Debian calls {names}: install it with your system's package "
            "manager and run the same command again."
        )


def _by_hand(names: str, purpose: str) -> SetupError:
    return SetupError(
        f"{purpose} needs {names}: run `sudo apt-get install -y {names}`, then this again."
    )


def _apt(tries: list[list[str]], log: Path, cwd: Path | None = None) -> bool:
    """Run apt-get with each of these arguments until the last ones succeed; whether they did."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return any(
        commands.run(["apt-get", *each], log, env, cwd=cwd) == 0 and each == tries[-1]
        for each in tries
    )


def _can_make_venv(log: Path) -> bool:
    # In a process of its own: this one would remember that the module was not there.
    return commands.run([sys.executable, "-c", "import ensurepip, venv"], log) == 0
