"""Images on bases with two versions of the real vLLM, and one more with a stand-in engine in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.image.containers import Container
from tests.processes import CATALOG, FAKE_VLLM
from tools import container, folder, image
from tools.container import Tool
from tools.errors import SetupError

NEWER, OLDER = "0.32.0", "0.28.0"
#: Handed to a build; it may be nowhere afterwards.
TOKEN = "hf_never-in-an-image-7f3a"
PASSWORD = "never-in-an-image-91c4"
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True)
class Images:
    """Names of images."""

    tool: Tool
    newer_base: str
    newer: str
    older: str
    fake: str


@pytest.fixture(scope="session")
def tool() -> Iterator[Tool]:
    """Docker or podman. Where neither can be had: a skip for a developer, a failure in CI."""
    forward = IP_FORWARD.read_text() if IP_FORWARD.exists() else ""
    try:
        found = container.get(folder.cache() / "image.log")
    except SetupError as reason:
        if os.environ.get("CI"):
            pytest.fail(f"the image cannot be tested: {reason}")
        pytest.skip(f"the image is not tested: {reason}")
    yield found
    # What earlier builds left: images of ours that have lost their names.
    ours = "label=org.opencontainers.image.title=vllm-supervisor"
    found.run("image", "prune", "-f", "--filter", ours, check=False)
    # podman's network switches it on for the whole machine.
    if forward and found.is_podman and os.geteuid() == 0:
        IP_FORWARD.write_text(forward)


@pytest.fixture(scope="session")
def images(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Two images that differ in build arguments alone, and the one with the stand-in."""
    engines = [_engine("VLLM_COMMAND"), _engine("OLDER_VLLM_COMMAND")]
    newer_base, older_base = image.ready(engines, folder.cache() / "image.log")[1]
    log = tmp_path_factory.mktemp("image") / "build.log"
    names = {}
    for version, base in ((NEWER, newer_base), (OLDER, older_base)):
        names[version] = f"localhost/vllm-supervisor-test:{version}"
        arguments = {"VLLM_VERSION": version, "BASE_IMAGE": base}
        image.build(tool, names[version], arguments, local=True, log=log)
    fake = "localhost/vllm-supervisor-test:stand-in"
    context = tmp_path_factory.mktemp("stand-in")
    (context / CATALOG.name).write_bytes(CATALOG.read_bytes())
    shutil.copytree(FAKE_VLLM, context / "fake_vllm", ignore=shutil.ignore_patterns("__pycache__"))
    python = "/opt/vllm-supervisor/.venv/bin/python"
    (context / "Dockerfile").write_text(
        f"FROM {names[NEWER]}\n"
        f"COPY --chmod=755 fake_vllm /opt/stand-in/fake_vllm\n"
        f"COPY --chmod=644 {CATALOG.name} /opt/stand-in/\n"
        f'ENV VLLM_COMMAND="{python} /opt/stand-in/fake_vllm" \\\n'
        f"    ENGINE_CATALOG=/opt/stand-in/{CATALOG.name} MODEL_NAME=tiny\n"
    )
    only = ["--format", "docker", "--pull=never"] if tool.is_podman else []
    tool.run("build", *only, "-t", fake, str(context))
    return Images(tool, newer_base, names[NEWER], names[OLDER], fake)


Start = Callable[..., Container]


@pytest.fixture
def start(images: Images) -> Iterator[Start]:
    """Starts containers, and removes them at the end."""
    started: list[Container] = []

    def begin(
        name: str, *options: str, env: Mapping[str, str] | None = None, **ports: int
    ) -> Container:
        one = Container(images.tool, name, options, env or {}, ports)
        started.append(one)
        return one

    yield begin
    for one in started:
        one.remove()


def _engine(variable: str) -> Path:
    command = os.environ.get(variable, "")
    if not command:
        pytest.fail(f"{variable} does not name the real vLLM; run the tests with `make test-image`")
    return Path(command).parent.parent
