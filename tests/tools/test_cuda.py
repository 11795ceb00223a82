"""A CUDA for which vLLM has no image is refused before the build, with what there is."""

from __future__ import annotations

import pytest

from tools import cuda, tags
from tools.docs import known
from tools.errors import SetupError


@pytest.mark.parametrize("asked", ["129", "12.9", "12.9.1"])
def test_another_cuda_that_is_published(asked: str) -> None:
    assert cuda.marked("0.33.0", asked) == "129"


@pytest.mark.parametrize(("vllm", "asked"), [("0.33.0", ""), ("0.33.0", "13.0"), ("0.10.2", "128")])
def test_the_default_is_not_in_the_tag(vllm: str, asked: str) -> None:
    assert cuda.marked(vllm, asked) == ""


def test_the_cuda_of_old_workers_is_refused_with_what_there_is() -> None:
    """12.1.0 stood in the build instructions of worker-vllm 1.x."""
    with pytest.raises(SetupError) as refused:
        cuda.marked(tags.DEFAULT_VLLM, "12.1.0")
    told = str(refused.value)
    assert told.startswith("WORKER_CUDA_VERSION=12.1.0 fits no image of vLLM 0.33.0")
    assert "CUDA 13.0 and 12.9: leave it out, or set it to 12.9." in told


def test_every_version_that_is_known_refuses_it() -> None:
    for vllm in known.CUDA:
        with pytest.raises(SetupError, match="leave it out"):
            cuda.marked(vllm, "12.1.0")


@pytest.mark.parametrize("asked", ["cu129", "12", "latest", "12.9-dev"])
def test_what_is_no_version_is_refused(asked: str) -> None:
    with pytest.raises(SetupError, match="is not a version of CUDA"):
        cuda.marked("0.33.0", asked)


def test_a_vllm_that_is_not_known_is_taken_at_its_word() -> None:
    assert cuda.marked("0.99.0", "12.1.0") == "121"
