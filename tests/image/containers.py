"""A container that runs, as tests see it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from tests import client
from tests.client import PATIENCE
from tests.processes import free_port, until
from tools.container import Tool

HOME = "/opt/vllm-supervisor"
PYTHON = f"{HOME}/.venv/bin/python"
#: The name under which a container finds this machine; podman gives it by itself.
HOST = "host.containers.internal"
#: As docker-compose.yml has it, also for root.
LIMITED = ("--cap-drop=ALL", "--security-opt=no-new-privileges")
#: As docs/deploy.md has it for who trusts the worker least: nothing can be written but /tmp, and
#: nothing is left of root.
HARDENED = (*LIMITED, "--read-only", "--tmpfs=/tmp:exec", "--user=1000:1000")
READY_WITHIN = 600.0  # seconds: a real engine on a busy machine


def as_docker(tool: Tool, options: Sequence[str]) -> list[str]:
    """Options that mean in podman what they mean in docker.

    With `--read-only` podman mounts /tmp, /var/tmp and /run by itself, which docker does not. Of a
    `--tmpfs` docker takes the right to load programs, unless `exec` is said.
    """
    if not tool.is_podman:
        return list(options)
    strict = ["--read-only-tmpfs=false"] if "--read-only" in options else []
    mounts = {one for one in options if one.startswith("--tmpfs=")}
    return strict + [
        f"{one}:noexec" if one in mounts and not one.endswith(":exec") else one for one in options
    ]


class Container:
    """`docker run -d`, with ports published on 127.0.0.1 alone.

    `ports` are names and the container's ports: `engine=8000`.
    """

    def __init__(
        self,
        tool: Tool,
        image: str,
        options: Sequence[str],
        env: Mapping[str, str],
        ports: Mapping[str, int],
    ) -> None:
        self.tool = tool
        self.ports = {name: free_port() for name in ports}
        command = ["run", "-d"]
        command += [] if tool.is_podman else [f"--add-host={HOST}:host-gateway"]
        for name, number in ports.items():
            command += ["-p", f"127.0.0.1:{self.ports[name]}:{number}"]
        for name, value in env.items():
            command += ["-e", f"{name}={value}"]
        started = tool.run(*command, *as_docker(tool, options), image)
        self.id = started.stdout.strip().splitlines()[-1]

    def url(self, port: str = "engine") -> str:
        """Where this machine reaches it."""
        return f"http://127.0.0.1:{self.ports[port]}"

    def ping(self, port: str = "control") -> int | None:
        """The status of /ping from outside; None while nobody answers."""
        try:
            return client.get(f"{self.url(port)}/ping").status_code
        except httpx.HTTPError:
            return None

    def log(self) -> str:
        """What it has printed so far."""
        done = self.tool.run("logs", self.id, check=False)
        return done.stdout + done.stderr

    def inside(self, *command: str) -> str:
        """What a command prints that is run in it."""
        return self.tool.run("exec", self.id, *command).stdout

    def python(self, code: str) -> str:
        """What the worker's Python prints."""
        return self.inside(PYTHON, "-I", "-c", code).strip()

    def healthcheck(self) -> str:
        """What the image's own check of health prints, run now."""
        check = self.tool.run("inspect", "-f", "{{json .Config.Healthcheck}}", self.id).stdout
        kind, *command = json.loads(check)["Test"]
        assert kind == "CMD"
        return self.tool.run("exec", self.id, *command, check=False).stdout.strip()

    def state(self) -> dict[str, Any]:
        """What docker or podman says of it."""
        text = self.tool.run("inspect", "-f", "{{json .State}}", self.id).stdout
        found: dict[str, Any] = json.loads(text)
        return found

    def until_logged(self, pattern: str, seconds: float = PATIENCE) -> None:
        """Wait for a line of its log."""

        def logged() -> bool:
            text = self.log()
            ended = not self.state()["Running"]
            assert not ended or re.search(pattern, text), f"it ended:\n{text}"
            return re.search(pattern, text) is not None

        until(logged, seconds, f"{pattern!r} in the log", pause=0.5)

    def until_ready(self, seconds: float = READY_WITHIN) -> None:
        """Wait until the worker says that it is ready."""
        self.until_logged(r"ready after", seconds)

    def stop(self, patience: int | None = 60) -> int:
        """What `docker stop` does; the exit code. None: with the patience that `run` was told."""
        given = [] if patience is None else ["-t", str(patience)]
        self.tool.run("stop", *given, self.id)
        return self.wait()

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; the exit code."""
        until(lambda: not self.state()["Running"], seconds, f"the end of\n{self.log()}\n", 0.2)
        code: int = self.state()["ExitCode"]
        return code

    def remove(self) -> None:
        """Leave nothing of it."""
        self.tool.run("rm", "-f", "-v", self.id, check=False)
