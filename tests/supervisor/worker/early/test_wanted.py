"""What an engine will fetch from the hub, by its plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.catalog import options, versions
from supervisor.command import plan
from supervisor.models.disk import look
from supervisor.worker.early.wanted import beside, repositories
from tests.processes import CATALOG


def wanted(
    home: Path, given: dict[str, str], catalog: Path = CATALOG, **more: str
) -> list[dict[str, Any]]:
    env = {"HOME": str(home), "BASE_PATH": "/nowhere", "MODEL_NAME": "org/model", **given, **more}
    made = plan.make(env, options.load(catalog), look(env))
    assert not made.findings.errors
    return repositories(made, plan.engine_environment(env, made))[0]


def named(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["repository"], each["kind"]) for each in found]


def kept(hub: Path, name: str, *files: str) -> Path:
    """A repository in a cache of the hub's client."""
    place = hub / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("c1")
    for file in files:
        path = place / "snapshots" / "c1" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return place


def test_the_model_of_the_hub(tmp_path: Path) -> None:
    hub = str(tmp_path / ".cache" / "huggingface" / "hub")
    assert wanted(tmp_path, {"MODEL_REVISION": "v2", "LOAD_FORMAT": "safetensors"}) == [
        {
            "repository": "org/model",
            "kind": "model",
            "hub": hub,
            "weights": hub,
            "revision": "v2",
            "load_format": "safetensors",
            "quantization": "",
            "ignore": (),
        }
    ]


def test_into_the_caches_in_which_vllm_looks(tmp_path: Path) -> None:
    """Its configuration is never in --download-dir."""
    [found] = wanted(tmp_path, {"HF_HOME": "/hf", "DOWNLOAD_DIR": "/weights"})
    assert (found["hub"], found["weights"]) == ("/hf/hub", "/weights")
    volume = tmp_path / "volume"
    volume.mkdir()
    [found] = wanted(tmp_path, {"BASE_PATH": str(volume)})
    assert found["weights"] == found["hub"] == str(volume / "huggingface-cache" / "hub")


@pytest.mark.parametrize(
    "given",
    [
        {"HF_HUB_OFFLINE": "1"},
        {"TRANSFORMERS_OFFLINE": "true"},
        {"VLLM_USE_MODELSCOPE": "True"},
        {"MODEL_NAME": "/models/m"},
        {"MODEL_NAME": "s3://bucket/m"},
        {"MODEL_NAME": "etc"},  # a folder that is there, seen from where the engine runs
        {"VLLM_CONFIG_FILE": "/etc/hostname"},  # may name another one, and anything of it
        {"MODEL_NAME": "org/model/folder"},  # that is fetched before the engine starts
    ],
)
def test_nothing_of_the_hub(tmp_path: Path, given: dict[str, str]) -> None:
    assert wanted(tmp_path, given) == []


def test_what_is_in_the_cache_is_not_asked_for(tmp_path: Path) -> None:
    hub = tmp_path / "hf" / "hub"
    place = kept(hub, "org/model", "config.json", "model.safetensors")
    env = {"HF_HOME": str(tmp_path / "hf")}
    assert wanted(tmp_path, env) == []
    assert named(wanted(tmp_path, {**env, "MODEL_REVISION": "v2"})) == [("org/model", "model")]
    (place / "snapshots" / "c1" / "model.safetensors").unlink()
    assert named(wanted(tmp_path, env)) == [("org/model", "model")]


def test_what_is_in_both_caches_is_not_asked_for(tmp_path: Path) -> None:
    """With DOWNLOAD_DIR weights are in the one, their configuration in the other."""
    env = {"HF_HOME": str(tmp_path / "hf"), "DOWNLOAD_DIR": str(tmp_path / "weights")}
    place = kept(tmp_path / "weights", "org/model", "model.safetensors")
    assert named(wanted(tmp_path, env)) == [("org/model", "model")]
    kept(tmp_path / "hf" / "hub", "org/model", "config.json")
    assert wanted(tmp_path, env) == []
    (place / "refs" / "main").unlink()
    (place / "snapshots" / "c1").rename(place / "snapshots" / "c2")  # another commit
    assert named(wanted(tmp_path, env)) == [("org/model", "model")]


def test_a_baked_model_with_a_draft_model_of_the_hub(tmp_path: Path) -> None:
    baked = tmp_path / "baked"
    model = {"repository": "org/model", "folder": str(baked)}
    baked.mkdir()
    (baked / "baked.json").write_text(json.dumps({"model": model}))
    draft = {"SPECULATIVE_CONFIG": '{"model": "org/draft", "num_speculative_tokens": 3}'}
    found = wanted(tmp_path, {"BAKED_MODELS": str(baked), **draft})
    assert named(found) == [("org/draft", "model")]


@pytest.mark.parametrize(
    ("config", "draft"),
    [
        ({"model": "org/draft", "revision": "v3"}, ("org/draft", "v3")),
        ({"model": "org/draft", "method": "eagle3"}, ("org/draft", "")),
        ({"method": "ngram"}, None),
        ({"method": "ngram", "model": "ngram"}, None),
        ({"model": "/models/draft"}, None),
        ({"method": "mtp", "model": "org/model"}, None),  # the model itself
    ],
)
def test_draft_models(
    tmp_path: Path, config: dict[str, str], draft: tuple[str, str] | None
) -> None:
    text = json.dumps({**config, "num_speculative_tokens": 3})
    found = wanted(tmp_path, {"SPECULATIVE_CONFIG": text})
    others = [(each["repository"], each["revision"]) for each in found[1:]]
    assert others == ([] if draft is None else [draft])


def test_a_draft_model_may_be_another_revision_of_the_same_repository(tmp_path: Path) -> None:
    for revision, count in (("draft", 2), ("v2", 1)):
        text = json.dumps({"model": "org/model", "revision": revision, "num_speculative_tokens": 3})
        found = wanted(tmp_path, {"SPECULATIVE_CONFIG": text, "MODEL_REVISION": "v2"})
        assert {(each["repository"], each["revision"]) for each in found} == {
            ("org/model", "v2"),
            ("org/model", revision),
        }
        assert len(found) == count


def test_the_load_format_may_be_in_any_case(tmp_path: Path) -> None:
    (found,) = wanted(tmp_path, {"LOAD_FORMAT": "Safetensors"})
    assert found["load_format"] == "safetensors"


def test_a_draft_model_of_older_engines(tmp_path: Path) -> None:
    older = versions.FOLDER / "vllm-0.6.2.json"
    env = {"NUM_SPECULATIVE_TOKENS": "3", "LORA_MODULES": "sql=org/sql"}
    found = wanted(tmp_path, env, older, SPECULATIVE_MODEL="org/draft")
    assert named(found)[1:] == [("org/draft", "model"), ("org/sql", "adapter")]
    assert len(wanted(tmp_path, {}, older, SPECULATIVE_MODEL="[ngram]")) == 1


def test_adapters_and_a_tokenizer(tmp_path: Path) -> None:
    hub = tmp_path / "hf" / "hub"
    kept(hub, "org/known", "adapter_config.json", "adapter_model.safetensors")
    kept(hub, "org/half", "adapter_config.json")
    modules = ["a=org/sql", '{"name": "b", "path": "org/other"}', "c=/adapters/c"]
    modules += ["d=org/known", "e=org/half"]
    found = wanted(
        tmp_path,
        {
            "HF_HOME": str(tmp_path / "hf"),
            "DOWNLOAD_DIR": "/weights",
            "VLLM_EXTRA_ARGS": "--lora-modules " + " ".join(f"'{each}'" for each in modules),
            "TOKENIZER_NAME": "org/tokenizer",
            "TOKENIZER_REVISION": "v1",
            "DEFAULT_MM_LORAS": '{"audio": "org/speech"}',
            "ENABLE_LORA": "true",
        },
    )
    assert named(found) == [
        ("org/model", "model"),
        ("org/tokenizer", "tokenizer"),
        ("org/sql", "adapter"),
        ("org/other", "adapter"),
        ("org/half", "adapter"),
        ("org/speech", "adapter"),
    ]
    assert found[1]["revision"] == "v1"
    # vLLM knows --download-dir for the weights of models alone.
    assert {each["weights"] for each in found[1:]} == {str(hub)}


def test_a_file_in_gguf(tmp_path: Path) -> None:
    [found] = wanted(tmp_path, {"MODEL_NAME": "org/model-GGUF:Q4_K_M"})
    assert (found["repository"], found["quantization"]) == ("org/model-GGUF", "Q4_K_M")
    env = {"MODEL_NAME": "org/model-GGUF:Q4_K_M", "HF_HOME": str(tmp_path)}
    place = kept(tmp_path / "hub", "org/model-GGUF", "model-Q4_0.gguf") / "snapshots" / "c1"
    assert len(wanted(tmp_path, env)) == 1
    (place / "model-Q4_K_M.gguf").write_text("x")
    assert wanted(tmp_path, env) == []


def test_what_vllm_is_told_to_leave_out(tmp_path: Path) -> None:
    [found] = wanted(tmp_path, {"VLLM_EXTRA_ARGS": "--ignore-patterns 'a*' 'b*'"})
    assert found["ignore"] == ("a*", "b*")


def test_what_is_here_beside_the_model(tmp_path: Path) -> None:
    hub, weights = tmp_path / "hf" / "hub", tmp_path / "weights"
    adapter = kept(hub, "org/sql", "adapter_model.safetensors") / "snapshots" / "c1"
    draft = kept(weights, "org/draft", "model.safetensors") / "snapshots" / "c1"
    local = tmp_path / "local"
    local.mkdir()
    env = {
        "MODEL_NAME": "org/model",
        "HF_HOME": str(tmp_path / "hf"),
        "DOWNLOAD_DIR": str(weights),
        "SPECULATIVE_CONFIG": '{"model": "org/draft", "num_speculative_tokens": 2}',
        "VLLM_EXTRA_ARGS": f"--lora-modules a=org/sql b={local} c=org/other d=/nowhere",
    }
    made = plan.make(env, options.load(CATALOG))
    assert beside(made, env) == [str(draft), str(adapter), str(local)]
    for method in ("ngram", "[ngram]"):
        none = {"MODEL_NAME": "m", "SPECULATIVE_CONFIG": json.dumps({"model": method})}
        assert beside(plan.make(none, options.load(CATALOG)), none) == []


@pytest.mark.parametrize(
    ("text", "fetched"),
    [
        ("max-model-len: 4096\ndtype: auto\n", True),
        ("max-model-len: 4096\nmodel: org/other\n", False),
        ("lora_modules:\n  - a=org/adapter\n", False),
        ("{max-model-len: 4096, model: org/other}\n", False),  # no line of its own for each key
    ],
)
@pytest.mark.parametrize("by", ["variable", "argument"])
def test_a_configuration_file_may_name_others(
    tmp_path: Path, text: str, fetched: bool, by: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    given = {"VLLM_CONFIG_FILE": str(file)}
    if by == "argument":
        given = {"VLLM_EXTRA_ARGS": f"--config {file}"}
    assert named(wanted(tmp_path, given)) == ([("org/model", "model")] if fetched else [])


@pytest.mark.parametrize(
    ("text", "given", "why"),
    [
        ("model: org/other\nrevision: v1\n", {}, "sets model, revision"),
        ("", {}, "is empty or cannot be read"),
        (None, {}, "is empty or cannot be read"),
        ("max-model-len: 4096\n", {}, ""),
        ("model: org/other\n", {"HF_HUB_OFFLINE": "1"}, ""),  # nothing would be fetched anyway
        ("model: org/other\n", {"MODEL_NAME": "/models/m"}, ""),
    ],
)
def test_why_a_configuration_file_leaves_all_out(
    tmp_path: Path, text: str | None, given: dict[str, str], why: str
) -> None:
    file = tmp_path / "config.yaml"
    if text is not None:
        file.write_text(text)
    env = {"HOME": str(tmp_path), "BASE_PATH": "/nowhere", "MODEL_NAME": "org/model", **given}
    made = plan.make({**env, "VLLM_CONFIG_FILE": str(file)}, options.load(CATALOG))
    said = f"{file}, the engine's configuration file, {why}"
    assert repositories(made, env)[1] == (said if why else "")
