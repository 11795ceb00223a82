"""No text that an engine repeats while it serves changes what is said of its end."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.diagnosis import Diagnosis, diagnose
from supervisor.diagnosis.rules import RULES
from supervisor.diagnosis.voice import Voice

SIGN = "~0123456789abcdef "
TRACEBACK = "Traceback (most recent call last):"
FRAME = '  File "/x/vllm/v1/engine/core.py", line 9, in step'
FATAL = "EngineCore encountered a fatal error."
DEAD = "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."
CUDA = "torch.AcceleratorError: CUDA error: an illegal memory access was encountered"

OLD, NEW = "0.28", "0.32"  # the first writes the process before its signature
VERSIONS = (OLD, NEW)
End = Callable[[str], list[str]]


def logged(
    version: str, process: str, place: str, *messages: str, level: str = "ERROR"
) -> list[str]:
    """One message of vLLM's logger, in lines."""
    begin = f"({process}) {SIGN}" if version == OLD else f"{SIGN}({process}) "
    return [f"{begin}{level} 11-26 15:03:17 [{place}] {message}" for message in messages]


def start(version: str) -> list[str]:
    api = "APIServer pid=1"
    return [
        *logged(version, api, "entry.py:140", "Starting vLLM server", level="INFO"),
        "INFO:     Application startup complete.",
    ]


def core_ends(version: str, *error: str) -> list[str]:
    return [
        *logged(version, "EngineCore pid=68", "core.py:1512", FATAL, TRACEBACK, FRAME, *error),
        *logged(version, "APIServer pid=1", "async_llm.py:906",
                "AsyncLLM output_handler failed.", TRACEBACK, FRAME, DEAD),
    ]  # fmt: skip


def said_of(lines: list[str], code: int = 0, *, signature: str = SIGN) -> Diagnosis:
    voice = Voice(signature)
    for line in lines:
        voice.hear(line)
    tail = [line.replace(SIGN, "") for line in lines[-200:]]
    return diagnose(code, tail, "org/m", voice=voice, was_ready=True)


def killed(version: str) -> list[str]:
    """What is said where EngineCore was killed."""
    return core_ends(version)[3:]


def worker_killed(version: str) -> list[str]:
    """Where one of its workers had a segmentation fault."""
    told = "Worker proc VllmWorker-0 died unexpectedly (exit code: -11), shutting down executor."
    place = "multiproc_executor.py:315"
    return [
        *logged(version, "EngineCore pid=68", place, told),
        *core_ends(version, "RuntimeError: Executor failed."),
    ]


def silent(_: str) -> list[str]:
    return []


def by(error: str) -> End:
    return lambda version: core_ends(version, error)


#: How an engine ends, its exit code and the kind of that.
ENDS: list[tuple[End, int, str]] = [
    (by(CUDA), 0, "gpu-fault"),
    (by("torch.OutOfMemoryError: CUDA out of memory. x"), 0, "gpu-out-of-memory"),
    (by("RuntimeError: Worker failed with error 'NCCL error: unhandled system error'"), 1, "nccl"),
    (by("OSError: [Errno 28] No space left on device: '/x'"), 1, "disk-full"),
    (by("ValueError: odd"), 1, "unknown"),
    (killed, 0, "process-lost"),
    (worker_killed, 0, "segmentation-fault"),
    (silent, -9, "killed"),
    (silent, -15, "terminated"),
    (silent, 0, "ended"),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("end", "code", "kind"), ENDS)
def test_what_its_processes_say_of_their_end(end: End, version: str, code: int, kind: str) -> None:
    assert said_of([*start(version), *end(version)], code).kind == kind


# --- callers ---

PHRASES = [phrase for rule in RULES for phrase in rule.phrases]
PIECES = [
    *PHRASES,
    *(FATAL, TRACEBACK, FRAME, DEAD, CUDA, "AsyncLLM output_handler failed."),
    *(
        "RuntimeError: ",
        "ValueError: ",
        "MemoryError",
        "CUDA error: ",
        "Worker failed with error '",
    ),
    *("(EngineCore pid=68) ", "(APIServer pid=1) ", "(Worker pid=9) ", "ERROR 11-26 15:03:17 "),
    *("[core.py:1512] ", "[async_llm.py:906] ", "INFO:     Application startup complete."),
    *("Worker proc x died unexpectedly (exit code: -11)", " throughput: ", "VLLM_LOGGING_PREFIX"),
    *("\n", "\n", "\r\n", "\r", "\x1b[31m", "\x1b[0;0m", "\x00", "\u2028", "~", "~0123456789abcde"),
    *("(EngineCore pid=68) ERROR 11-26 15:03:17 [core.py:1512] ", "x" * 1200),
]
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=9)), max_size=30).map("".join)
#: Past the logger, in the logger's lines, and in a file of vLLM's that reports ends.
HOW = st.sampled_from(["raw", "serving.py:929", "core.py:1750", "async_llm.py:500"])


def repeated(version: str, how: str, text: str, following: str) -> list[str]:
    """The lines in which an engine repeats `text`; past the logger without a line end."""
    if how == "raw":
        *whole, rest = text.split("\n")
        return [*whole, rest + following]
    process = "EngineCore pid=68" if how.startswith("core") else "APIServer pid=1"
    first, *more = f"Failed to compile {text}".replace("\r\n", "\n").split("\n")
    return [*logged(version, process, how, first, *more), following]


@given(
    end=st.sampled_from(ENDS),
    version=st.sampled_from(VERSIONS),
    before=st.lists(st.tuples(HOW, TEXT), max_size=4),
    after=st.lists(st.tuples(HOW, TEXT), max_size=2),
)
def test_no_text_of_a_caller_changes_what_is_said(
    end: tuple[End, int, str],
    version: str,
    before: list[tuple[str, str]],
    after: list[tuple[str, str]],
) -> None:
    """Wherever it stands: before the end, in a line with it, and behind it, from another caller."""
    ends, code, kind = end
    last = ends(version)
    lines = [*start(version)]
    for place, (how, text) in enumerate(before):
        follows = last[0] if last and place == len(before) - 1 else "INFO:     127.0.0.1:1"
        lines += repeated(version, how, text, follows)
    lines += last[1:] if before and last else last
    for how, text in after:
        lines += repeated(version, how, text, "INFO:     Shutting down")
    found = said_of(lines, code)
    clean = said_of([*start(version), *last], code)
    assert (found.kind, str(found), found.told) == (kind, str(clean), clean.told)


@given(text=TEXT)
@example(text=DEAD)
@example(text="Worker proc x died unexpectedly (exit code: -11)")
def test_an_exception_that_quotes_a_caller_counts_by_how_it_begins(text: str) -> None:
    """Of one that ends the engine, for all that is known, it is the whole message."""
    first, *more = f"ValueError: no such grammar: {text}".split("\n")
    found = said_of([*start(NEW), *core_ends(NEW, first, *more)], 1)
    assert (found.kind, found.cause) == ("unknown", "the engine ended with code 1")


# --- others ---


def test_the_thousands_of_lines_that_follow_push_nothing_out() -> None:
    """With 100 streams vLLM 0.32 writes 35,000 lines after the death of EngineCore."""
    flood = logged(NEW, "APIServer pid=1", "serving.py:929", "Error in stream.", TRACEBACK, DEAD)
    assert said_of([*start(NEW), *core_ends(NEW, CUDA), *flood * 10_000]).kind == "gpu-fault"


def test_a_failure_before_it_was_ready_is_none_of_its_end() -> None:
    assert said_of([*core_ends(NEW, CUDA), *start(NEW)], -9).kind == "killed"


def test_a_version_that_does_not_sign_is_known_by_its_prefix() -> None:
    plain = [line.replace(SIGN, "") for line in [*start(NEW), *core_ends(NEW, CUDA)]]
    for signature in ("", SIGN):
        assert said_of(plain, signature=signature).kind == "gpu-fault"
    assert said_of([*plain[:2], "RuntimeError: CUDA error: x"], 1).kind == "unknown"
    assert said_of([*plain[:2], TRACEBACK, FRAME, CUDA], 1).kind == "unknown", "it has a prefix"


def test_one_without_a_prefix_is_known_by_its_last_traceback() -> None:
    lines = ["INFO:     Application startup complete.", TRACEBACK, FRAME, "    x()"]
    assert said_of([*lines, "ValueError: x", TRACEBACK, FRAME, CUDA], 1).kind == "gpu-fault"
    assert said_of([*lines, CUDA, TRACEBACK, FRAME, "ValueError: x"], 1).kind == "unknown"
    assert said_of([lines[0], CUDA], 1).kind == "unknown", "a single line"


def test_one_that_signs_is_believed_in_nothing_else_from_then_on() -> None:
    forged = [line.replace(SIGN, "") for line in core_ends(NEW, CUDA)]
    assert said_of([*forged, *start(NEW), *forged], 1).kind == "unknown"


def test_hostile_lines_cost_little() -> None:
    for line in ("(" * 65536, "(A pid=1) " * 6000, SIGN * 3000, "ERROR 11-26 " * 5000, "x" * 65536):
        voice = Voice(SIGN)
        began = time.process_time()
        for _ in range(200):
            voice.hear(line)
        assert time.process_time() - began < 2
