"""Recipes: sound on the newest versions, sized for the GPUs that they ask for, and shown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor import planning
from supervisor.catalog import versions
from supervisor.models.placement import Name
from tests.processes import ROOT
from tools.docs import fields, known, pools, recipes
from tools.docs.recipes import Recipe

RECIPES = recipes.every()
NEWEST = list(known.CUDA)[:2]
#: vLLM's default share of a GPU, and GB that it needs beside weights and context.
SHARE, WORKING = 0.92, 1.0
#: What is said of an engine that is open, and of a model that brings code.
_OPEN = {"VLLM_API_KEY", "TRUST_REMOTE_CODE"}

each = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)


@pytest.mark.parametrize("version", NEWEST)
@each
def test_explain_has_nothing_to_say_of_a_recipe(recipe: Recipe, version: str) -> None:
    """On the newest versions; and on the one that it is for, where that is another."""
    for one in {version, recipe.vllm or version}:
        made = planning.by_catalog(recipe.env, versions.load(one))
        found = made.findings
        said = [each for each in found.warnings if each.env not in _OPEN]
        assert (said, found.errors, found.ignored) == ([], (), ()), one
        assert {row.env for row in found.applied} >= recipe.env.keys(), one


def test_the_command_line_explains_a_recipe_as_it_stands() -> None:
    arguments = f"explain --json --vllm {known.DEFAULT} --env-file recipes/qwen3-8b.env"
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", *arguments.split()],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert {each["env"] for each in shown["warnings"]} == {"VLLM_API_KEY"}
    assert shown["errors"] == shown["ignored"] == []
    assert "--tool-call-parser=hermes" in shown["command"]


@each
def test_docker_takes_the_file_as_it_stands(recipe: Recipe) -> None:
    """No quotes, no blanks around =, nothing behind a value: Docker would keep all of it."""
    for line in (recipes.FOLDER / f"{recipe.name}.env").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            assert name.isupper()
            assert name == name.strip()
            assert value == value.strip().strip("'\"")
            assert " #" not in value
        assert len(line) < 200


def test_why_a_setting_is_there_stands_above_it_in_some_recipe() -> None:
    """What needs no reason is the model, and what a recipe has in common with its siblings."""
    told: set[str] = set()
    used: set[str] = set()
    for recipe in RECIPES:
        used |= recipe.env.keys()
        for group in recipe.body.split("\n\n"):
            names = re.findall(r"^([A-Z_]+)=", group, re.MULTILINE)
            told |= set(names) if group.startswith("# ") else set()
    assert used - told <= {"MODEL_NAME"}


@each
def test_the_weights_fit_the_gpus(recipe: Recipe) -> None:
    parallel = int(recipe.env.get("TENSOR_PARALLEL_SIZE", 1))
    assert parallel == recipe.gpus
    assert recipe.weights / parallel + WORKING < recipe.gpu_memory * SHARE
    assert recipe.gpu_memory in pools.MEMORY.values()


@each
def test_a_model_is_a_repository(recipe: Recipe) -> None:
    assert Name.parse(recipe.env["MODEL_NAME"].partition(":")[0]) is not None
    assert recipe.vllm is None or recipe.vllm in versions.known()


@each
def test_a_preset_fits_every_gpu_on_offer_and_the_form(recipe: Recipe) -> None:
    if recipe.preset:
        form = fields.form(known.catalogs()[known.DEFAULT])
        offered = {field.name for category in form.values() for field in category}
        assert recipe.env.keys() <= offered
        assert recipe.gpus == 1
        assert recipe.gpu_memory <= pools.smallest()
        assert recipe.vllm is None


def test_every_family_and_use_has_its_recipe() -> None:
    families = {recipe.family for recipe in RECIPES}
    assert families >= {"Llama 3.x", "Qwen3", "Qwen3-VL", "gpt-oss", "Gemma", "Mistral", "DeepSeek"}
    uses = {use for recipe in RECIPES for use in recipe.use.split(", ")}
    assert uses >= {
        "AWQ", "FP8", "GGUF", "embeddings", "rerank", "transcription", "LoRA",
        "speculative decoding", "tool calling", "several GPUs", "reasoning", "vision",
    }  # fmt: skip


def test_the_page_shows_every_recipe_and_its_links_lead_somewhere() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    for recipe in RECIPES:
        assert f"(../recipes/{recipe.name}.env)" in page
        assert recipe.body in page
    titles = [recipe.title for recipe in RECIPES]
    assert len(set(titles)) == len(titles)


HEAD = """\
# title: A
# family: Qwen3
# use: chat
# gpus: 1
# gpu-memory-gb: 24
# weights-gb: 1.5
# needs: nothing else
"""


@pytest.mark.parametrize(
    "head",
    [HEAD.replace("# use: chat\n", ""), HEAD + "# colour: red\n", HEAD + "MODEL_NAME=x\n", ""],
)
def test_a_head_that_is_not_sound_is_refused(head: str, tmp_path: Path) -> None:
    path = tmp_path / "a.env"
    path.write_text(head + "\nMODEL_NAME=m\n")
    with pytest.raises(ValueError, match=r"a\.env: its head has to be lines of"):
        recipes.read(path)


def test_a_head_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.env"
    path.write_text(HEAD + "# vllm: 0.14.1\n# preset: yes\n\n# why\nMODEL_NAME=m\n")
    found = recipes.read(path)
    assert (found.name, found.weights, found.vllm, found.preset) == ("a", 1.5, "0.14.1", True)
    assert found.env == {"MODEL_NAME": "m"}
    assert found.body == "# why\nMODEL_NAME=m"
