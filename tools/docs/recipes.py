"""`recipes/*.env`: read as they stand, and shown in `docs/recipes.md`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from supervisor import env_file
from tools import tags
from tools.worker import CHECKOUT

FOLDER = CHECKOUT / "recipes"

_HEAD = re.compile(r"# ([a-z-]+): (\S.*)")
_REQUIRED = {"title", "family", "use", "gpus", "gpu-memory-gb", "weights-gb", "needs"}
_OPTIONAL = {"preset", "vllm"}
#: How families follow each other on the page.
_ORDER = (
    "Llama 3.x", "Qwen3", "Qwen3-VL", "gpt-oss", "Gemma", "Mistral", "DeepSeek",
    "embeddings", "rerank", "whisper",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recipe:
    """One file.

    Args:
        name: of the file, without `.env`.
        gpu_memory: GB that each of `gpus` has at least.
        weights: GB that are loaded, over all GPUs.
        needs: what else there must be.
        preset: whether the Hub's listing offers it.
        vllm: the version that it is for, where the default one cannot serve it.
        env: its variables.
        body: all of the file below its head.
    """

    name: str
    title: str
    family: str
    use: str
    gpus: int
    gpu_memory: int
    weights: float
    needs: str
    preset: bool
    vllm: str | None
    env: dict[str, str]
    body: str


def every() -> list[Recipe]:
    """All recipes, family by family.

    Raises:
        ValueError: one of them has no sound head.
    """
    found = [read(path) for path in sorted(FOLDER.glob("*.env"))]
    return sorted(found, key=lambda recipe: (_ORDER.index(recipe.family), recipe.name))


def read(path: Path) -> Recipe:
    """One recipe.

    Raises:
        ValueError: its head, the lines before the first empty one, is not `# KEY: VALUE` or lacks
            a key.
    """
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    lines = [_HEAD.fullmatch(line) for line in head.splitlines()]
    said = {line[1]: line[2] for line in lines if line is not None}
    unknown = said.keys() - _REQUIRED - _OPTIONAL
    if None in lines or unknown or not said.keys() >= _REQUIRED:
        raise ValueError(f"{path.name}: its head has to be lines of `# KEY: VALUE` with all of"
                         f" {', '.join(sorted(_REQUIRED))}")  # fmt: skip
    return Recipe(
        path.stem,
        said["title"],
        said["family"],
        said["use"],
        int(said["gpus"]),
        int(said["gpu-memory-gb"]),
        float(said["weights-gb"]),
        said["needs"],
        said.get("preset") == "yes",
        said.get("vllm"),
        env_file.read(path)[0],
        body.strip("\n"),
    )


def text(share: float) -> str:
    """The page. `share` is what vLLM takes of a GPU's memory by default, of 1."""
    found = every()
    head = (
        Path(__file__)
        .with_suffix(".md")
        .read_text(encoding="utf-8")
        .format(
            image=tags.image(tags.DEFAULT_VLLM), version=tags.DEFAULT_VLLM, share=round(share * 100)
        )
    )
    return "\n".join([head, _table(found), *(_section(recipe) for recipe in found)])


def _table(found: Iterable[Recipe]) -> str:
    rows = [
        f"| [{recipe.title}](#{_anchor(recipe.title)}) | {recipe.use} | {_gpus(recipe)}"
        f" | {recipe.weights:g} GB | {'yes' if recipe.preset else ''} |"
        for recipe in found
    ]
    return "\n".join(["| | for | GPUs | weights | preset |", "|---|---|---|---|---|", *rows, ""])


def _section(recipe: Recipe) -> str:
    more = recipe.needs.removeprefix("nothing else").removeprefix("; ")
    gpus = (
        f"a GPU of {recipe.gpu_memory} GB"
        if recipe.gpus == 1
        else f"{recipe.gpus} GPUs of {recipe.gpu_memory} GB each"
    )
    return (
        f"## {recipe.title}\n\n[`{recipe.name}.env`](../recipes/{recipe.name}.env) needs {gpus}"
        f"{f'; {more}' if more else ''}.\n\n```\n{recipe.body}\n```\n"
    )


def _gpus(recipe: Recipe) -> str:
    return f"{recipe.gpus} x {recipe.gpu_memory} GB"


def _anchor(title: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
