"""The model as the first argument, and the names under which it is served."""

from __future__ import annotations

import pytest

from supervisor.catalog import Catalog
from supervisor.command import plan
from supervisor.command.spelling import strangers
from supervisor.findings import Fault, Remark
from supervisor.models.placement import OnDisk
from tests.supervisor.command.test_translate import catalog

CURRENT = catalog("0.32.0")
QUEUE = {"RUNPOD_WEBHOOK_GET_JOB": "http://x/$ID?"}
BALANCED = {"RUNPOD_ENDPOINT_ID": "x", "PORT_HEALTH": "8001"}


def made(env: dict[str, str], of: Catalog | None = CURRENT) -> plan.Plan:
    return plan.make(env, of)


def test_the_model_is_positional_and_first() -> None:
    found = made({"MODEL_NAME": "org/m", "SERVED_MODEL_NAME": "a b"})
    assert found.command[:3] == ("vllm", "serve", "org/m")
    assert "--model" not in " ".join(found.command)


def test_without_a_model_the_warning_names_what_is_served() -> None:
    (warning,) = made({}).findings.warnings
    assert "MODEL_NAME" in warning.message
    assert "Qwen/Qwen3-0.6B" in warning.message
    assert not made({"VLLM_CONFIG_FILE": "/c.yaml"}).findings.warnings


def test_a_version_that_needs_a_model_refuses_without() -> None:
    (error,) = made({}, catalog("0.6.2")).findings.errors
    assert error.env == "MODEL_NAME"


@pytest.mark.parametrize("platform", [QUEUE, BALANCED])
def test_where_a_gpu_is_paid_no_model_is_an_error(platform: dict[str, str]) -> None:
    (error,) = made(platform).findings.errors
    assert error.message == "MODEL_NAME is not set: vLLM would serve its default, Qwen/Qwen3-0.6B"
    assert error.suggestion == "set MODEL_NAME"
    for named in (
        {"VLLM_CONFIG_FILE": "/c.yaml"},
        {"VLLM_EXTRA_ARGS": "--model org/m"},
        {"VLLM_EXTRA_ARGS": "--config /c.yaml"},
    ):
        assert not made({**platform, **named}).findings.errors
    disk = OnDisk(name="org/m", path="/models/m", where="baked into the image")
    assert not plan.make(platform, CURRENT, disk).findings.errors


@pytest.mark.parametrize(("name", "whose"), list(strangers.MODELS.items()))
@pytest.mark.parametrize("platform", [{}, QUEUE])
def test_the_name_that_another_product_has_for_it_is_told(
    platform: dict[str, str], name: str, whose: str
) -> None:
    found = made({**platform, name: "org/m"}).findings
    told: list[Fault | Remark] = [*found.errors, *found.warnings]
    assert [each.suggestion for each in told if each.env == "MODEL_NAME"] == [
        f"set MODEL_NAME=org/m: {name}, which is set, has no effect ({whose})"
    ]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("https://huggingface.co/org/m/tree/main", "set MODEL_NAME=org/m"),
        ("hf.co/org/m", "set MODEL_NAME=org/m"),
        ("huggingface.co/org/m?a=b", "set MODEL_NAME=org/m"),
        ("org/m extra", "set MODEL_NAME to a name such as org/model"),
        ('"org/m', "set MODEL_NAME to a name such as org/model"),
        ("org/m;", "set MODEL_NAME to a name such as org/model"),
        ("org/m,", "set MODEL_NAME to a name such as org/model"),
        ("C:\\\\models\\\\m", "set MODEL_NAME to a name such as org/model"),
        ("org/m/", "set MODEL_NAME=org/m or an absolute path"),
        ("org/m.git", "set MODEL_NAME=org/m"),
        ("org/m:main", "set MODEL_NAME=org/m and MODEL_REVISION=main"),
        ("org/m@refs/pr/1", "set MODEL_NAME=org/m and MODEL_REVISION=refs/pr/1"),
        ("llama3:8b", "set MODEL_NAME=llama3 and MODEL_REVISION=8b"),
    ],
)
def test_what_is_no_repository_is_refused_before_a_start(name: str, remedy: str) -> None:
    (error,) = made({"MODEL_NAME": name}).findings.errors
    assert error.message.startswith(f"MODEL_NAME={name} ")
    assert error.suggestion == remedy


@pytest.mark.parametrize(
    "name",
    [
        "/a folder/m",
        "/m/",
        "s3://bucket/m/",
        "org/m.gguf",
        "gpt2",
        "org/m-GGUF:Q4_K_M",
        "org/m:IQ2_XXS",
        "org/m:UD-Q4_K_XL",
        "org/m:BF16",
        "org/m:q8_0",
        "org/m:m-Q4_0.gguf",
        "org/_m.1",
    ],
)
def test_what_vllm_may_load_is_left_to_it(name: str) -> None:
    assert not made({"MODEL_NAME": name}).findings.errors


@pytest.mark.parametrize("model", ["./m", "../m", "~/m", "--help"])
def test_a_model_that_cannot_work_is_refused(model: str) -> None:
    (error,) = made({"MODEL_NAME": model}).findings.errors
    assert error.message.startswith(f"MODEL_NAME={model} ")
