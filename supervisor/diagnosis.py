"""Why an engine failed, from its exit code and its last lines. Pure.

Each cause is one sentence and has a remedy. The patterns are phrases of vLLM, of Hugging Face's
client and of argparse as they were seen; the first one that fits wins, so the specific come first.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What went wrong and what to do. `final`: another start would end the same way."""

    cause: str
    remedy: str
    final: bool = False

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    cause: str
    remedy: str
    final: bool


def _rule(pattern: str, cause: str, remedy: str, *, final: bool = True) -> _Rule:
    return _Rule(re.compile(pattern), cause, remedy, final)


_RULES = (
    # argparse (all versions)
    _rule(
        r"error: (unrecognized arguments: .+|argument .+|the following arguments .+)",
        "the engine refused its command line: {1}",
        "correct the variable or VLLM_EXTRA_ARGS; `explain` shows what each became",
    ),
    # huggingface_hub
    _rule(
        r"You are trying to access a gated repo|GatedRepoError|403 Client Error.*gated",
        "the model {model} is gated",
        "accept its licence on the model's page and set HF_TOKEN to a token of that account",
    ),
    # The hub answers 401 for a repository that does not exist: this one before the token.
    _rule(
        r"RepositoryNotFoundError|is not a local folder and is not a valid model identifier"
        r"|Repo id must be in the form|Repo id must use alphanumeric"
        r"|Invalid repository ID or local directory specified",
        "the model {model} was not found",
        "check MODEL_NAME: a repository name such as Qwen/Qwen3-0.6B or the path of a folder; a"
        " private repository needs HF_TOKEN",
    ),
    _rule(
        r"Invalid (?:user token|username or password)|401 Client Error|token is invalid",
        "the model's host refused the token",
        "set HF_TOKEN to a valid token",
    ),
    _rule(
        r"couldn't connect to 'https?://|LocalEntryNotFoundError|OfflineModeIsEnabled"
        r"|outgoing traffic has been disabled|Cannot reach https?://"
        r"|Name or service not known|Temporary failure in name resolution",
        "the model {model} is not on this disk and its host cannot be reached",
        "check MODEL_NAME and the network, or unset HF_HUB_OFFLINE",
        final=False,
    ),
    _rule(
        r"No space left on device|Not enough free disk space",
        "the disk is full",
        "give the worker more disk, or keep models on a volume (HF_HOME)",
        final=False,
    ),
    _rule(
        r"(?:torch\.OutOfMemoryError|CUDA out of memory)[^\n]*",
        "the GPU's memory is too small for the model as it is configured",
        "set MAX_MODEL_LEN lower, use a quantised model, or more GPUs with TENSOR_PARALLEL_SIZE",
        final=False,
    ),
    _rule(
        r"Address already in use|Errno 98",
        "the engine's port is taken",
        "end the process that has it or set VLLM_PORT",
        final=False,
    ),
    # pydantic's report of vLLM's own configuration classes
    _rule(
        r"validation errors? for \w+Config\s+(?:Value error, )?(?P<why>[^\[\n]+)",
        "the engine refused its configuration: {why}",
        "correct the variable that sets it; `explain` shows what each became",
    ),
)


def diagnose(
    code: int, lines: Sequence[str], model: str | None = None, *, out_of_memory: bool = False
) -> Diagnosis:
    """The cause of an engine's end.

    Args:
        code: its exit code, negative for a signal.
        lines: the last lines that it printed, oldest first.
        model: the model as it was named, for the sentence.
        out_of_memory: the kernel ended a process of the engine for its memory.
    """
    if out_of_memory:
        return Diagnosis(
            "the engine was killed because the memory of the machine or container ran out",
            "give it more memory, or set CPU_OFFLOAD_GB or SWAP_SPACE lower",
        )
    text = "\n".join(lines)
    for rule in _RULES:
        if found := rule.pattern.search(text):
            why = (found.groupdict().get("why") or (found[1] if found.re.groups else "")).strip()
            cause = rule.cause.replace("{model}", model or "without a name")
            cause = cause.replace("{1}", why).replace("{why}", why.rstrip("."))
            return Diagnosis(cause, rule.remedy, rule.final)
    if code < 0:
        return Diagnosis(
            f"the engine was killed by {_signal_name(-code)}", "see the engine's lines above"
        )
    if code == 0:
        return Diagnosis("the engine ended by itself", "see the engine's lines above")
    return Diagnosis(f"the engine ended with code {code}", _last_error(lines))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_error(lines: Sequence[str]) -> str:
    for line in reversed(lines):
        if re.search(r"\b\w*(Error|Exception): ", line):
            said = re.sub(r"^.*?(\w+(?:Error|Exception): )", r"\1", line).strip()
            return f"its last error was {said[:300]}"
    return "see the engine's lines above"
