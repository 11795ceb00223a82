"""TASK, where vLLM has a runner and a conversion instead of tasks. Pure."""

from __future__ import annotations

from ...catalog import Catalog
from ...findings import Findings, Ignored, Remark
from .rewritten import Origin, Rewritten
from .table import UNSET

NAME = "TASK"
_FLAG, _RUNNER, _CONVERT = "--task", "--runner", "--convert"

#: What a task asks of --runner and of --convert, as vLLM 0.10 translates it itself.
_PARTS = {
    "auto": ("auto", "auto"),
    "generate": ("generate", "auto"),
    "transcription": ("generate", "auto"),
    "embed": ("pooling", "embed"),
    "embedding": ("pooling", "embed"),
    "classify": ("pooling", "classify"),
    "score": ("pooling", "auto"),
    "reward": ("pooling", "reward"),
    "draft": ("draft", "auto"),
}


def carried_over(before: Rewritten, catalog: Catalog) -> tuple[Rewritten, Findings]:
    """`before` with a task of vLLM's as this version takes it.

    Any other word is left alone: a shell, a container or a cluster has set the name.
    """
    task = before.text(NAME).lower()
    if task not in _PARTS or not catalog.complete:
        return before, Findings()
    done, origin = before.without(NAME), Origin((NAME,), "legacy")
    if catalog.option(_FLAG) is not None:
        return done.saying(NAME, task, origin), Findings()
    if task == "auto":
        return done, Findings.of(Ignored(NAME, "auto is what vLLM does anyway"))
    runner, convert = catalog.option(_RUNNER), catalog.option(_CONVERT)
    if runner is None or convert is None:
        message = f"{NAME} has no effect: vLLM {catalog.version} tells the task from the model"
        return done, Findings.of(Remark(NAME, message, UNSET))
    wanted_runner, wanted_convert = _PARTS[task]
    done = done.saying(runner.env, wanted_runner, origin)
    if wanted_convert not in convert.choices or wanted_convert == "auto":
        return done, Findings()
    own = done.text(convert.env)
    if own and own != wanted_convert:
        message = f"{convert.env} and {NAME} differ; {convert.env} is used"
        return done, Findings.of(Remark(NAME, message, f"set only {convert.env}"))
    both = Origin((convert.env, NAME) if own else (NAME,), "legacy")
    return done.saying(convert.env, wanted_convert, both), Findings()


def has_parts(catalog: Catalog) -> bool:
    """Whether this version has a runner and a conversion, which stand for a task."""
    return catalog.option(_RUNNER) is not None and catalog.option(_CONVERT) is not None
