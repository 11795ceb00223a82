"""What `make image` builds, by the environment: its name and its build arguments."""

from __future__ import annotations

from datetime import datetime

import pytest

from tools import image, tags
from tools.errors import SetupError


def test_nothing_that_is_asked_for() -> None:
    name, given = image.wanted({"MODEL_NAME": " "}, "abc")
    assert name == tags.image(tags.DEFAULT_VLLM)
    assert given["REVISION"] == "abc"
    assert not {"MODEL_NAME", "WORKER_CUDA_VERSION"} & set(given)


@pytest.mark.parametrize("cuda", ["129", "12.9.1"])
def test_another_cuda_is_in_the_name_and_the_base(cuda: str) -> None:
    name, given = image.wanted({"VLLM_VERSION": "0.32.0", "WORKER_CUDA_VERSION": cuda}, "")
    assert name == tags.image("0.32.0", "12.9")
    assert given["WORKER_CUDA_VERSION"] == "129"


def test_a_version_may_be_written_as_its_tag() -> None:
    """As the builds of worker-vllm name it."""
    name, given = image.wanted({"VLLM_VERSION": "v0.27.1"}, "")
    assert name == tags.image("0.27.1")
    assert given["VLLM_VERSION"] == "0.27.1"


def test_the_cuda_of_old_workers_builds_nothing() -> None:
    with pytest.raises(SetupError, match=r"WORKER_CUDA_VERSION=12\.1\.0 fits no image of vLLM"):
        image.wanted({"WORKER_CUDA_VERSION": "12.1.0", "MODEL_NAME": "openchat/openchat_3.5"}, "")


def test_a_base_of_ones_own_has_its_own_cuda() -> None:
    given = image.wanted({"WORKER_CUDA_VERSION": "12.1.0", "BASE_IMAGE": "mine:1"}, "")[1]
    assert "WORKER_CUDA_VERSION" not in given
    assert given["BASE_IMAGE"] == "mine:1"


def test_what_an_image_may_not_know_is_no_argument() -> None:
    """Arguments stand in the image's history."""
    given = image.wanted({"HF_ENDPOINT": "https://me:secret@hub", "HF_TOKEN": "hf_x"}, "")[1]
    assert not set(image.SECRETS) & set(given)


def test_it_says_when_it_was_made() -> None:
    given = image.wanted({"SOURCE": "https://example.test/me"}, "abc")[1]
    assert datetime.fromisoformat(given["CREATED"]).tzinfo is not None
    assert given["SOURCE"] == "https://example.test/me"
