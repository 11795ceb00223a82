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
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    assert project["project"]["version"] == __version__


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


def test_the_default_image_elsewhere() -> None:
    text = (CHECKOUT / "docs" / "image.md").read_text()
    named = set(re.findall(rf"{tags.REPOSITORY}:(v[0-9][^\s}}]*)", text))
    assert named == {tags.image(tags.DEFAULT_VLLM).partition(":")[2]}


@pytest.mark.parametrize("cuda", ["129", "12.9", "12.9.1"])
def test_a_cuda_is_meant_however_it_is_written(cuda: str) -> None:
    assert tags.base("0.32.0", cuda) == "vllm/vllm-openai:v0.32.0-cu129"
