"""docker or podman, whichever works here; podman from the system's packages where neither does."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools import folder, system
from tools.errors import SetupError

# podman with a runtime, a network and what they call; Debian's and Ubuntu's names.
PACKAGES = "podman buildah runc netavark aardvark-dns iptables catatonit".split()
ASKING = 60  # seconds; the first call of podman sets its store up


@dataclass(frozen=True)
class Tool:
    """A container engine's command line."""

    name: str  # docker or podman
    env: Mapping[str, str] = field(default_factory=dict)  # beside the caller's

    @property
    def is_podman(self) -> bool:
        """Whether podman's own options are to be given."""
        return self.name == "podman"

    def run(
        self, *arguments: str, check: bool = True, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run it and return what it printed; SetupError with its last words if `check` fails."""
        # podman leaves a file `oom` where it was called when a container runs out of memory.
        home = folder.cache()
        home.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [self.name, *arguments],
            cwd=home,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
            raise SetupError(f"{self.name} {' '.join(arguments[:2])} failed:\n{last}")
        return done

    def call(self, arguments: Sequence[str]) -> int:
        """Run it with our own output; its exit code."""
        env = {**os.environ, **self.env}
        return subprocess.run([self.name, *arguments], env=env, check=False).returncode

    def has_image(self, name: str) -> bool:
        """Whether the image is on this machine."""
        return self.run("image", "inspect", name, check=False).returncode == 0


def find() -> Tool | None:
    """The one that works: docker with a daemon behind it, else podman."""
    return _working(Tool("docker", {"DOCKER_BUILDKIT": "1"})) or _working(_podman())


def get(log: Path) -> Tool:
    """The one that works, installed where there is none; SetupError if that cannot be done."""
    if found := find():
        return found
    system.install_packages(PACKAGES, "An image", log)
    if found := find():
        return found
    said = _podman().run("info", check=False).stderr.strip().splitlines() or ["nothing"]
    raise SetupError(f"podman is installed and does not work; it says: {said[-1]}")


def _working(tool: Tool) -> Tool | None:
    if shutil.which(tool.name) is None:
        return None
    try:
        works = tool.run("info", check=False, timeout=ASKING).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return None
    return tool if works else None


def _podman() -> Tool:
    settings = _settings()
    if not settings or "CONTAINERS_CONF" in os.environ:
        return Tool("podman")
    path = folder.cache() / "containers.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(settings, encoding="utf-8")
    return Tool("podman", {"CONTAINERS_CONF": str(path)})


def _settings(root: Path = Path("/")) -> str:
    """What podman has to be told on this machine; nothing where it is set up already."""
    if os.geteuid() != 0 or (root / "etc/containers/containers.conf").exists():
        return ""
    lines = []
    if not (root / "sys/fs/cgroup/cgroup.controllers").exists():
        lines += ["[engine]", 'runtime = "runc"  # crun refuses control groups of version 1']
    if not (root / "run/systemd/system").exists():
        lines += [] if lines else ["[engine]"]
        lines += ['cgroup_manager = "cgroupfs"  # the other one asks systemd']
    # podman raises limits for its containers, and may not where this capability is missing.
    if not _may_raise_limits(root):
        lines += ["[containers]", 'default_ulimits = ["nofile=16384:16384", "nproc=16384:16384"]']
    lines += ["[network]", 'network_backend = "netavark"']
    return "\n".join(lines) + "\n"


def _may_raise_limits(root: Path) -> bool:
    cap_sys_resource = 24  # linux/capability.h
    status = (root / "proc/self/status").read_text(encoding="utf-8")
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> cap_sys_resource & 1)
