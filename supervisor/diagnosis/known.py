"""What of an engine's words may stand in a sentence for others than the operator. Pure.

Anybody may have chosen the rest: a file's author, a server on the way, whoever sent a request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

#: Details that have a form of their own wherever they stand.
_TYPED: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(
        ("asked", "most", "heads", "ranks", "have", "rank", "whole", "capability", "free", "all"),
        re.compile(r"\d{1,15}(?:\.\d{1,6})?"),
    ),
    "architecture": re.compile(r"[A-Za-z_]\w{1,79}"),
    "package": re.compile(r"[A-Za-z][\w.\[\]-]{0,60}(?:[=><~!]{1,2}\d[\w.]{0,20})?"),
    "parameter": re.compile(r"rope_(?:type|theta)"),
    "method": re.compile(r"[a-z][\w-]{1,40}"),
    "status": re.compile(r"5\d\d (?:Server Error|Bad Gateway|Service Unavailable)"),
}
#: Details that count where the configuration has them.
_CONFIGURED = ("option", "field", "what", "path")
#: Details in the words of our own download; what somebody else said stands in round brackets.
_OURS = {"ours", "todo"}

_CUDA = (
    "an illegal memory access was encountered",
    "an illegal instruction was encountered",
    "uncorrectable ECC error encountered",
    "uncorrectable NVLink error detected during the execution",
    "device-side assert triggered",
    "unspecified launch failure",
    "the launch timed out and was terminated",
    "misaligned address",
    "invalid program counter",
    "hardware stack error",
    "operation not supported on global/shared address space",
    "all CUDA-capable devices are busy or unavailable",
    "initialization error",
    "driver shutting down",
    "unknown error",
    "invalid argument",
    "invalid device context",
    "invalid resource handle",
    "an internal operation failed",
    "out of memory",
    "operation not supported",
    "peer access is not supported between these two devices",
)
_NCCL = (
    "unhandled cuda error",
    "unhandled system error",
    "internal error",
    "invalid argument",
    "invalid usage",
    "remote process exited or there was a network error",
    "ncclUnhandledCudaError",
    "ncclSystemError",
    "ncclInternalError",
    "ncclInvalidUsage",
    "ncclRemoteError",
)
#: What CUDA and NCCL say, of which a detail `fault` may hold one.
FAULTS = (*_CUDA, *(words for words in _NCCL if words not in _CUDA))


def names(said: Mapping[str, str], configured: Sequence[str]) -> dict[str, str]:
    """Those of the details `said` that may be shown.

    Args:
        said: what was found in the engine's words, by the names in `rules`.
        configured: the engine's arguments, and what the variables hold that were made for it.
    """
    shown = {}
    for name, value in said.items():
        if name in _OURS:
            shown[name] = ours(value)
        pattern = _TYPED.get(name)
        if (
            (pattern is not None and pattern.fullmatch(value))
            or (name in _CONFIGURED and is_configured(value, configured))
            or (name == "fault" and value in FAULTS)
        ):
            shown[name] = value
    return shown


def ours(words: str) -> str:
    """A sentence of our own download without what somebody else said, in round brackets."""
    return re.sub(r" \([^\n]*\)", "", words)


def is_configured(value: str, configured: Sequence[str]) -> bool:
    """Whether the configuration has it: as an option (also as the field that one sets), as a path
    or name, or as a word of a JSON value.
    """
    if not re.fullmatch(r"[\w./@:+-]{1,300}", value):
        return False
    options = {text.partition("=")[0] for text in configured if text.startswith("--")}
    if value in options or "--" + value.replace("_", "-") in options:
        return True
    word = re.compile(rf"(?<![\w./-]){re.escape(value)}(?![\w./-])")
    return any(word.search(text) for text in configured)
