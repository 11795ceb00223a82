"""What to do about the longest part of a start. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..command.plan import Plan
from ..status.parts import Times

_PAGE = "docs/coldstart.md"
_UNKNOWN = "nothing is known that shortens it"
_EAGER = "ENFORCE_EAGER=true leaves it out, and answers come slower"
#: Formats of `--load-format` that read with many threads, or past the page cache.
_FAST = ("runai_streamer", "fastsafetensors", "tensorizer", "instanttensor", "sharded_state")


def advice(times: Times, plan: Plan) -> str:
    """One sentence: the longest part of a start that is over, and what shortens it.

    Args:
        times: of the start; empty where nothing is known of it.
        plan: what was started.
    """
    taken: dict[str, float] = {}
    for part in times.parts:
        taken[part.name] = taken.get(part.name, 0.0) + part.seconds
    if not taken:
        return f"nothing is known of this start ({_PAGE})"
    longest = max(taken, key=lambda name: taken[name])
    whole = max(part.end for part in times.parts)
    remedy = _REMEDIES[longest](plan) if longest in _REMEDIES else _UNKNOWN
    return f"longest: {longest}, {taken[longest]:.1f} of {whole:.1f} s; {remedy} ({_PAGE})"


def _download(plan: Plan) -> str:
    if plan.volume is not None:
        return (
            f"the model is kept in {plan.volume}, where the next start finds it; an image with the"
            " model in it, or the platform's cached models, need no download at all"
        )
    return (
        "bake the model into the image, use the platform's cached models, or a network volume at"
        " BASE_PATH: then nothing is downloaded"
    )


def _weights(plan: Plan) -> str:
    ways = []
    if _on_volume(plan):
        ways.append("a model in the image or on a local disk is read faster than from a volume")
    if (plan.value("--load-format") or "auto").lower() not in _FAST:
        ways.append("LOAD_FORMAT=runai_streamer reads with many threads, where the image has it")
    return "; ".join([*ways, "a quantised or smaller model has less to read"])


def _on_volume(plan: Plan) -> bool:
    """Whether the model is on the volume: in its folder there, or in the hub's cache on it."""
    if plan.volume is None:
        return False
    if plan.model_path is not None:
        return Path(plan.model_path).is_relative_to(plan.volume)
    named = Path(plan.model or "")
    return not named.is_absolute() or named.is_relative_to(plan.volume)


def _compile(plan: Plan) -> str:
    if plan.volume is not None:
        kept = f"what was compiled is kept in {plan.volume} for the next start on such a GPU"
    else:
        kept = "a network volume at BASE_PATH keeps what was compiled for the next start"
    return f"{kept}; {_EAGER}"


_REMEDIES: Mapping[str, Callable[[Plan], str]] = {
    "spawn": lambda _: (
        "that is the worker's own share, which takes less than a second where a CPU is free and"
        " vLLM's catalogue was made with the image"
    ),
    "imports": lambda _: (
        "an image with vLLM's bytecode and a faster CPU shorten it; a worker that the platform"
        " keeps or has frozen (FlashBoot) does not import again"
    ),
    "download": _download,
    "prefetch": _download,
    "weights": _weights,
    "read": _weights,
    "compile": _compile,
    "memory": lambda _: (
        "a smaller MAX_MODEL_LEN and a smaller MAX_NUM_BATCHED_TOKENS leave less to try out and to"
        " set up"
    ),
    "graphs": lambda _: f"a smaller MAX_NUM_SEQS has fewer of them to capture; {_EAGER}",
    "server": lambda _: (
        "that is vLLM's own server with its tokenizer and chat template; a faster CPU shortens it"
    ),
    "warmup": lambda _: (
        "WARMUP=0, or fewer lines in its file, make the worker ready earlier and the first answers"
        " slower"
    ),
}
