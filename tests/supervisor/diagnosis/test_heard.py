"""What an engine's lines say of its end."""

from __future__ import annotations

import pytest

from supervisor.diagnosis.heard import About, Heard
from supervisor.diagnosis.voice import Report

ABOUT = About("org/m", ["vllm", "serve", "org/m"], "0.32.0", ["mine-1234"])


def report(error: str, *, fatal: bool = True) -> Report:
    return Report(fatal, "EngineCore encountered a fatal error.", error)


def test_a_start_is_judged_by_all_of_its_last_lines() -> None:
    heard = Heard.of_start("ValueError: x\nRuntimeError: No CUDA GPUs are available\nbye", ABOUT)
    assert heard.cause is not None
    assert heard.cause.kind == "no-gpu"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("torch.AcceleratorError: CUDA error: misaligned address", "gpu-fault"),
        ("RuntimeError: Worker failed with error 'CUDA error: unknown error', x", "gpu-fault"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to", "gpu-out-of-memory"),
        ("RuntimeError: CUDA error: out of memory", "gpu-out-of-memory"),
        ("MemoryError", "host-memory"),
        ("RuntimeError: std::bad_alloc", "host-memory"),
        (("RuntimeError: [enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't"
          " allocate memory: you tried"), "host-memory"),
        ("OSError: [Errno 28] No space left on device", "disk-full"),
        ("OSError: [Errno 28] No space left on device: '/dev/shm/x'", "shared-memory"),
        ("RuntimeError: unable to write to file </torch_98_345>: No space left on device (28)",
         "shared-memory"),
        ("torch.distributed.DistBackendError: NCCL error in: x.cpp:1, ncclSystemError: y", "nccl"),
        # words of a request, in an exception that the machine does not cause
        ("ValueError: CUDA error: unknown error", None),
        ("RuntimeError: no such grammar: CUDA error: unknown error", None),
        ("vllm.exceptions.VLLMValidationError: CUDA out of memory", None),
        # causes of a start
        ("RuntimeError: No CUDA GPUs are available", None),
    ],
)  # fmt: skip
def test_an_end_is_judged_by_how_its_exception_begins(error: str, kind: str | None) -> None:
    heard = Heard.of_end([report(error)], ABOUT)
    assert (heard.cause.kind if heard.cause else None) == kind


def test_what_is_known_of_one_without_a_cause() -> None:
    heard = Heard.of_end([report("a.b.OddError: mine-1234 is odd")], ABOUT)
    assert (heard.cause, heard.kind, heard.error) == (None, "OddError", "OddError: *** is odd")
    lost = Heard.of_end([report("x.EngineDeadError: x", fatal=False)], ABOUT)
    assert (lost.cause, lost.error, lost.lost) == (None, "", True)
    assert Heard.of_end([], ABOUT) == Heard()
