"""What to do about the longest part of a start. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..command.plan import Plan
from ..models.placement import Kept
from ..settings import table
from ..status.parts import Times

_PAGE = "docs/coldstart.md"
_UNKNOWN = "nothing is known that shortens it"
_EAGER = "ENFORCE_EAGER=true leaves it out, and answers come slower"
#: Formats of `--load-format` whose files `runai_streamer` reads as well.
_STREAMED = ("auto", "hf", "safetensors")


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
    if (place := plan.kept.get("downloads")) is not None and place.lasts:
        return (
            f"the model is kept in {place.folder}, where the next start finds it; an image with the"
            " model in it, or the platform's cached models, need no download at all"
        )
    return (
        "bake the model into the image, use the platform's cached models, or a network volume at"
        f" {_setting(place)}: then nothing is downloaded"
    )


def _weights(plan: Plan) -> str:
    ways = []
    if (place := plan.kept.get("model")) is not None and place.lasts:
        ways.append("a model in the image or on a local disk is read faster than from a volume")
    if (plan.value("--load-format") or "auto").lower() in _STREAMED and not _is_gguf(plan):
        ways.append("LOAD_FORMAT=runai_streamer reads with many threads, where the image has it")
    return "; ".join([*ways, "a quantised or smaller model has less to read"])


def _is_gguf(plan: Plan) -> bool:
    named = plan.model_path or plan.model or ""
    return named.endswith(".gguf") or (":" in named and "://" not in named)


def _compile(plan: Plan) -> str:
    if (place := plan.kept.get("compiled")) is not None and place.lasts:
        kept = f"what was compiled is kept in {place.folder} for the next start on such a GPU"
    else:
        where = f"a network volume at {_setting(place)}"
        kept = f"{where} keeps what was compiled for the next start"
    return f"{kept}; {_EAGER}"


def _setting(place: Kept | None) -> str:
    return table.BASE_PATH.name if place is None else place.setting


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
