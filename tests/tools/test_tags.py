"""The image's name and the versions in it are the same wherever they stand."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from supervisor import __version__
from tools import tags
from tools.docs import bake, known
from tools.worker import CHECKOUT

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()


def argument(name: str) -> str:
    found = re.search(rf"^ARG {name}=(.*)$", DOCKERFILE, re.MULTILINE)
    assert found is not None
    return found[1]


def test_names() -> None:
    assert tags.image("0.33.0") == f"vllmsupervisor/worker:v{__version__}-vllm0.33.0"
    assert tags.image("0.33.0", "12.9").endswith("-vllm0.33.0-cu129")
    assert tags.base("0.33.0", "12.9") == "vllm/vllm-openai:v0.33.0-cu129"


def test_the_dockerfiles_defaults() -> None:
    assert argument("VLLM_VERSION") == tags.DEFAULT_VLLM
    assert argument("WORKER_VERSION") == __version__
    base = argument("BASE_IMAGE").replace("${VLLM_VERSION}", "0.33.0")
    assert base.partition("${")[0] == tags.base("0.33.0")


def test_the_package_takes_its_version_from_the_supervisor() -> None:
    """The only place that says it. Others have a copy, and the tests here compare them."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "supervisor/__init__.py"


def test_the_default_image_of_compose() -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    default = f"${{VLLM_VERSION:-{tags.DEFAULT_VLLM}}}"
    assert f"image: ${{IMAGE:-{tags.image(default)}}}" in text
    assert f"VLLM_VERSION: {default}" in text


def test_every_image_of_the_form_is_built() -> None:
    form = json.loads((CHECKOUT / "worker-config.json").read_text())
    text = bake.text().replace("${REPOSITORY}", tags.REPOSITORY).replace("${VERSION}", __version__)
    built = set(re.findall(r'tags\s+= \["(.*)"\]', text))
    assert {version["imageName"] for version in form["versions"].values()} <= built
    assert built == {
        tags.image(version, cuda)
        for version in known.CUDA
        for cuda in ("", *known.MORE_CUDA.get(version, []))
    }


def test_every_target_is_in_the_group() -> None:
    text = bake.text()
    group = text.partition('group "all"')[2].partition("]")[0]
    targets = set(re.findall(r'^target "(vllm-.*)"', text, re.MULTILINE))
    assert set(re.findall(r'"(vllm-.*)"', group)) == targets
    assert len(targets) > len(known.CUDA)


@pytest.mark.parametrize(
    "name", ["README.md", "docs/image.md", "docs/deploy.md", "docs/troubleshooting.md"]
)
def test_the_default_image_elsewhere(name: str) -> None:
    text = (CHECKOUT / name).read_text()
    named = set(re.findall(rf"{tags.REPOSITORY}:(v[0-9][\w.-]*)", text))
    assert named == {tags.image(tags.DEFAULT_VLLM).partition(":")[2]}


def test_the_wheel_is_named_as_it_is_built() -> None:
    text = (CHECKOUT / "README.md").read_text()
    assert set(re.findall(r"vllm_supervisor-([\d.]+)-py3", text)) == {__version__}


@pytest.mark.parametrize("cuda", ["129", "12.9", "12.9.1"])
def test_a_cuda_is_meant_however_it_is_written(cuda: str) -> None:
    assert tags.base("0.32.0", cuda) == "vllm/vllm-openai:v0.32.0-cu129"
