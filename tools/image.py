"""Images: `python3 -m tools.image build` makes the worker's, `ready` what the tests of it need.

The tests build the same Dockerfile on bases of their own, smaller than vLLM's images: a minimal
Debian or Ubuntu with the CPU build of vLLM in it, the one that the other tests use. Such a base is
made once and stays in the store of docker or podman.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from supervisor import __version__
from tools import commands, container, cuda, digests, folder, system, tags
from tools.container import Tool
from tools.errors import SetupError, reported
from tools.progress import Progress
from tools.worker import CHECKOUT

RECIPE = "1"  # raise it when the way of making bases changes
ARGUMENTS = """VLLM_VERSION WORKER_CUDA_VERSION BASE_IMAGE BASE_DIGEST MODEL_NAME MODEL_REVISION
    TOKENIZER_NAME TOKENIZER_REVISION QUANTIZATION LOAD_FORMAT BASE_PATH HF_ENDPOINT REVISION
    SOURCE""".split()
#: What a build may know and an image may not: an address may hold a password as well.
SECRETS = ("HF_TOKEN", "HF_ENDPOINT")
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
# What a small system lacks for the worker and for vLLM's CPU build.
BASE_PACKAGES = ["python3", "python3-venv", "ca-certificates", *system.ENGINE_LIBRARIES.values()]


def build(
    tool: Tool,
    name: str,
    arguments: Mapping[str, str],
    *,
    secrets: Mapping[str, str] | None = None,
    local: bool = False,
    log: Path | None = None,
    options: Sequence[str] = (),
) -> None:
    """Build the Dockerfile as `name`.

    Args:
        tool: docker or podman.
        name: of the image.
        arguments: build arguments.
        secrets: the names of build secrets, and what they are.
        local: the base is on this machine and in no registry.
        log: where the output goes, instead of ours.
        options: more of the tool's own.

    Raises:
        SetupError: it failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        command = [tool.name, "build", "-t", name, "-f", str(CHECKOUT / "Dockerfile")]
        command += ["--format", "docker"] if tool.is_podman else []  # OCI knows no HEALTHCHECK
        command += ["--pull=never"] if tool.is_podman and local else []
        for key, value in arguments.items():
            command += ["--build-arg", f"{key}={value}"]
        for key, text in {**builder_secrets(), **(secrets or {})}.items():
            file = Path(scratch, key)
            file.write_text(text, encoding="utf-8")
            file.chmod(0o600)
            command += ["--secret", f"id={key},src={file}"]
        command += [*options, str(CHECKOUT)]
        if log is None:
            code = tool.call(command[1:])
            last = "its last lines say why"
        else:
            code = commands.run(command, log, {**os.environ, **tool.env})
            last = "\n".join(["its last lines:", *commands.tail(log, 15)])
    if code != 0:
        raise SetupError(f"The image {name} could not be built; {last}")


def builder_secrets() -> dict[str, str]:
    """How this machine reaches a package index: pip's settings and its certificates, if any.

    They are mounted into the step that installs, and are in no layer.
    """
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        # A variable counts more than a file, and a path means nothing in the build.
        if key in PIP_SETTINGS and (key not in found or section == ":env:"):
            words = value.strip("'\"").replace("\\n", " ").split()
            found[key] = "\n    ".join(
                word for word in words if not word.startswith(("file:", "/"))
            )
    lines = [f"{key} = {value}" for key, value in found.items() if value]
    text = "\n".join(["[global]", *lines, ""])
    files = (Path(os.environ.get(name, "")) for name in CA_VARIABLES)
    bundle = next((file for file in files if file.is_file()), None)
    certificates = {"ca.crt": bundle.read_text(encoding="utf-8")} if bundle else {}
    return {"pip.conf": text, **certificates}


def base_with(tool: Tool, engine: Path, log: Path, progress: Progress) -> str:
    """The base image with the engine whose environment is `engine`; made if it is not there.

    It is at its own place there, with `vllm` on PATH. An environment that is laid over another one
    becomes a layer over that one's image.
    """
    below = _below(engine)
    name = f"localhost/vllm-supervisor-base:{_key(engine, below)}"
    if tool.has_image(name):
        return name
    # First: one lock holds for both.
    under = None if below is None else base_with(tool, below, log, progress)
    with (
        folder.locked("image-base", folder.cache(), progress.say),
        tempfile.TemporaryDirectory(dir=folder.cache()) as scratch,
    ):
        if under is None:
            under = f"localhost/vllm-supervisor-system:{folder.key_of([RECIPE, *BASE_PACKAGES])}"
            if not tool.has_image(under):
                tool.run("import", str(_system(log)), under)
        _lay_over(tool, name, under, engine, Path(scratch), log)
    return name


def _lay_over(tool: Tool, name: str, under: str, engine: Path, scratch: Path, log: Path) -> None:
    """One layer: the engine, the interpreter that it runs on, and the `vllm` that names it."""
    archive = scratch / "engine.tar"
    owner = ("--owner=0", "--group=0", "--numeric-owner")
    link = scratch / "root/usr/local/bin/vllm"
    link.parent.mkdir(parents=True)
    link.symlink_to(engine / "bin/vllm")
    _ran(["tar", "--create", f"--file={archive}", *owner, "-C", "/", str(engine)[1:]], log)
    append = ["tar", "--append", f"--file={archive}", *owner]
    if interpreter := _interpreter(engine):
        skipped = [f"--exclude={each}" for each in ("site-packages", "test", "*.a")]
        found = ("bin/python3*", "lib/libpython3*", "lib/python3*")
        parts = [str(part)[1:] for each in found for part in interpreter.glob(each)]
        _ran([*append, *skipped, "-C", "/", *parts], log)
    _ran([*append, "-C", str(scratch / "root"), "usr/local/bin/vllm"], log)
    text = f"FROM {under}\nRUN rm -f /usr/local/bin/vllm\nADD engine.tar /\nCMD []\n"
    (scratch / "Dockerfile").write_text(text, encoding="utf-8")
    (scratch / ".dockerignore").write_text("root\n", encoding="utf-8")
    only = ["--format", "docker", "--pull=never"] if tool.is_podman else []
    tool.run("build", *only, "-t", name, str(scratch), timeout=1200)


def _system(log: Path) -> Path:
    """A small system of this machine's own distribution, as an archive in the cache."""
    release = dict(
        line.replace('"', "").split("=", 1)
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    suite = release.get("VERSION_CODENAME", "")
    archive = folder.cache() / f"image-system-{suite}-{folder.key_of([RECIPE, *BASE_PACKAGES])}.tar"
    if archive.exists():
        return archive
    system.install_packages(["mmdebstrap"], "The base image of the tests", log)
    part = archive.with_suffix(".part.tar")
    command = ["mmdebstrap", "--format=tar", "--variant=minbase"]
    command += [f"--include={','.join(BASE_PACKAGES)}"]
    command += ['--aptopt=Acquire::Check-Valid-Until "false"']  # a mirror may be a snapshot
    # The engine's environment lies in a home; every user of a container has to reach it.
    command += ['--customize-hook=chmod 755 "$1/root"']
    command += ['--customize-hook=rm -f "$1/etc/resolv.conf" "$1/etc/hostname"']
    _ran([*command, suite, str(part), _mirror(suite)], log)
    part.rename(archive)
    return archive


def _mirror(suite: str) -> str:
    """The line of the package source that this machine has for `suite`."""
    wanted = "$(REPO_URI)|$(CODENAME)|$(COMPONENT)"
    command = ["apt-get", "indextargets", "--format", wanted, "Identifier: Packages"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        uri, codename, component = line.split("|")
        if (codename, component) == (suite, "main"):
            return f"deb {uri} {suite} main"
    raise SetupError(f"apt has no package source for {suite}, so no base image can be made.")


def _below(engine: Path) -> Path | None:
    """The environment over which `engine` is laid, as tools.engine does it."""
    under = next(engine.glob("lib/python*/site-packages/under.pth"), None)
    if under is None:
        return None
    return Path(under.read_text(encoding="utf-8").strip()).parents[2]


def _interpreter(engine: Path) -> Path | None:
    """The installation behind the environment's interpreter; None for the system's own."""
    lines = (engine / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    home = next(line.partition("=")[2].strip() for line in lines if line.startswith("home"))
    prefix = Path(home).parent
    return None if prefix == Path("/usr") else prefix


def _key(engine: Path, below: Path | None) -> str:
    names = [RECIPE, *BASE_PACKAGES, str(engine), str(below or "")]
    return folder.key_of(names)


def _ran(command: Sequence[str], log: Path) -> None:
    if commands.run(command, log, {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}) != 0:
        last = "\n".join(commands.tail(log, 5))
        raise SetupError(f"{command[0]} failed; {log} has the details:\n{last}")


def ready(engines: Sequence[Path], log: Path) -> tuple[Tool, list[str]]:
    """What runs containers here, and bases with these engines; made where something is missing."""
    progress = Progress(1 + len(engines))
    with progress.step("container: looking for docker or podman"):
        tool = container.get(log)
    bases = []
    for engine in engines:
        with progress.step(f"container: a base with {engine.name}"):
            bases.append(base_with(tool, engine, log, progress))
    return tool, bases


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.image", description=__doc__)
    commands_of = parser.add_subparsers(dest="command", required=True)
    commands_of.add_parser("build", help="build the image from the environment's settings")
    made = commands_of.add_parser("ready", help="see that tests of images can run")
    made.add_argument("engines", nargs="*", type=Path, help="folders of engines' environments")
    return parser.parse_args()


def wanted(environ: Mapping[str, str], revision: str) -> tuple[str, dict[str, str]]:
    """The name of the image that `environ` asks for, and the build arguments.

    Raises:
        SetupError: vLLM has no image with the CUDA that is asked for.
    """
    names = set(ARGUMENTS) - set(SECRETS)
    given = {name: text for name in sorted(names) if (text := environ.get(name, "").strip())}
    # worker-vllm's builds name the tag, v0.33.0.
    vllm = given.get("VLLM_VERSION", tags.DEFAULT_VLLM).removeprefix("v")
    asked = given.pop("WORKER_CUDA_VERSION", "")
    # A base that is named has its own CUDA, and its own digest.
    mark = "" if "BASE_IMAGE" in given else cuda.marked(vllm, asked)
    digest = "" if "BASE_IMAGE" in given else digests.read().get(tags.base(vllm, mark), "")
    more = {
        "VLLM_VERSION": vllm,
        **({"WORKER_CUDA_VERSION": mark} if mark else {}),
        **({"BASE_DIGEST": digest} if digest else {}),
    }
    name = environ.get("IMAGE") or tags.image(vllm, mark)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {"WORKER_VERSION": __version__, "REVISION": revision, "CREATED": created}
    return name, {**about, **more, **given, "VLLM_VERSION": vllm}


def main() -> int:
    """Do what the command line says."""
    asked = _asked()
    log = folder.cache() / "image.log"
    started = time.monotonic()
    if asked.command == "ready":
        tool, bases = ready(asked.engines, log)
        print(json.dumps({"tool": tool.name, "bases": bases}))
        return 0
    revision = subprocess.run(
        ["git", "-C", str(CHECKOUT), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    name, given = wanted(os.environ, revision)
    secrets = {name: text for name in SECRETS if (text := os.environ.get(name, "").strip())}
    build(container.get(log), name, given, secrets=secrets)
    print(f"{name}, built in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(reported(main))
