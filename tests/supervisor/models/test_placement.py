"""What follows from where a model is, for the command and the engine's environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.catalog import options
from supervisor.command import plan
from supervisor.models import disk
from supervisor.models.placement import Name
from tests.processes import CATALOG
from tests.supervisor.models.baking import baked


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gpt2", Name("gpt2")),
        ("Qwen/Qwen3-0.6B", Name("Qwen/Qwen3-0.6B")),
        ("org/name/fp8/v1", Name("org/name", "fp8/v1")),
        ("hf.co/org/m", None), ("www.huggingface.co/org/m", None), ("hf.com/m", Name("hf.com/m")),
        ("/models/x", None), ("./x", None), ("s3://bucket/x", None), ("org/../x", None), ("", None),
    ],
)  # fmt: skip
def test_names(text: str, name: Name | None) -> None:
    assert Name.parse(text) == name


def made(env: dict[str, str]) -> tuple[list[str], plan.Plan]:
    one = plan.make(env, options.load(CATALOG), disk.look(env))
    return list(one.command[2:]), one


def test_names_that_are_given_elsewhere_are_kept(tmp_path: Path) -> None:
    baked(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text("max-model-len: 9\nserved-model-name: short\n")
    env = {"BAKED_MODELS": str(tmp_path)}
    command, _ = made({**env, "VLLM_CONFIG_FILE": str(config), "MODEL_NAME": "org/name"})
    assert "--served-model-name" not in command
    for said in (
        "--served-model-name short",
        "--served-model-name=short",
        "--served_model_na short",
    ):
        command, _ = made({**env, "VLLM_EXTRA_ARGS": f"{said} --seed 1"})
        assert command[-5:] == [said.split("=")[0].split()[0], "short", "org/name", "--seed", "1"]
        assert sum("served" in token for token in command) == 1
    command, _ = made({**env, "VLLM_EXTRA_ARGS": "--served-model-name a org/name"})
    assert command[-3:] == ["--served-model-name", "a", "org/name"]


def test_a_baked_model_is_served_offline_under_its_name(tmp_path: Path) -> None:
    place = baked(tmp_path)
    env = {"BAKED_MODELS": str(tmp_path), "BASE_PATH": "/nowhere"}
    command, one = made(env)
    assert command[0] == str(place)
    assert command[-2:] == ["--served-model-name", "org/name"]
    assert one.model == "org/name"
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    assert one.engine_env == {**offline, "GLOO_SOCKET_IFNAME": "lo"}
    assert not one.findings.errors
    assert not one.findings.warnings
    override = {"OPENAI_SERVED_MODEL_NAME_OVERRIDE": "short", "MODEL_NAME": "org/name"}
    assert made({**env, **override})[0][-3:] == ["--served-model-name", "short", "org/name"]
    own = {"SERVED_MODEL_NAME": "one two", "MODEL_REVISION": "c1"}
    assert made({**env, **own})[0][-4:] == ["--served-model-name", "one", "two", "org/name"]


def test_another_model_than_the_baked_one_is_downloaded_as_usual(tmp_path: Path) -> None:
    baked(tmp_path)
    env = {"BAKED_MODELS": str(tmp_path), "BASE_PATH": "/nowhere"}
    for more in ({"MODEL_NAME": "org/other"}, {"MODEL_NAME": "org/name", "MODEL_REVISION": "v2"}):
        command, one = made({**env, **more})
        assert command[0] == more["MODEL_NAME"]
        assert "HF_HUB_OFFLINE" not in one.engine_env


def test_a_baked_tokenizer_and_what_keeps_the_hub_in_use(tmp_path: Path) -> None:
    tokenizer = {"repository": "org/tok", "folder": "/models/org--tok"}
    baked(tmp_path, tokenizer=tokenizer)
    env = {"BAKED_MODELS": str(tmp_path), "TOKENIZER_NAME": "org/tok"}
    command, one = made(env)
    assert "--tokenizer=/models/org--tok" in command
    assert one.engine_env["HF_HUB_OFFLINE"] == "1"
    command, one = made({**env, "TOKENIZER_NAME": "org/else"})
    assert "--tokenizer=org/else" in command
    assert "HF_HUB_OFFLINE" not in one.engine_env
    notes = [row.note for row in one.findings.applied if row.env == "HF_HUB_OFFLINE"]
    assert notes == ["not offline: TOKENIZER_NAME may need the hub"]


def test_a_volume_keeps_models_and_what_is_compiled(tmp_path: Path) -> None:
    gpus = tmp_path / "gpus" / "0000:01:00.0"
    gpus.mkdir(parents=True)
    (gpus / "information").write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 1\n")
    env = {"MODEL_NAME": "a/b", "BASE_PATH": str(tmp_path), "TRITON_CACHE_DIR": "/mine"}
    one = plan.make(env, options.load(CATALOG), disk.look(env, gpus.parent))
    compiled = f"{tmp_path}/compile-cache/vllm-{one.vllm_version}-NVIDIA-H100-80GB-HBM3"
    assert one.engine_env == {
        "GLOO_SOCKET_IFNAME": "lo",
        "HF_HOME": f"{tmp_path}/huggingface-cache",
        "VLLM_CACHE_ROOT": f"{compiled}/vllm",
        "FLASHINFER_WORKSPACE_BASE": f"{compiled}/flashinfer",
    }
