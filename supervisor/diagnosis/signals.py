"""What an end by a signal most often means."""

from __future__ import annotations

import signal

_ASKED = "somebody outside the worker asked it to end; no setting is at fault"

SHELL = 128  # what a shell adds to the number of the signal that ended its command

#: Kind and remedy of an end by a signal.
SIGNALS: dict[int, tuple[str, str]] = {
    signal.SIGKILL: (
        "killed",
        (
            "most often the machine's or container's memory ran out: give the worker more memory or"
            " use a smaller model, unless somebody killed it by hand"
        ),
    ),
    signal.SIGTERM: ("terminated", _ASKED),
    signal.SIGINT: ("terminated", _ASKED),
    signal.SIGBUS: (
        "bus-error",
        (
            "most often /dev/shm is too small: give the container more shared memory (docker run"
            " --shm-size=8g or --ipc=host), or the disk of a mapped file failed"
        ),
    ),
    signal.SIGSEGV: (
        "segmentation-fault",
        (
            "a fault in native code: try ENFORCE_EAGER=true or another ATTENTION_BACKEND, else"
            " another image of vLLM that fits the driver"
        ),
    ),
    signal.SIGILL: (
        "illegal-instruction",
        (
            "this processor lacks an instruction that the engine was built for: use another machine"
            " or another build of vLLM; on the CPU build DTYPE=float32 may help"
        ),
    ),
    signal.SIGABRT: (
        "aborted",
        "native code gave up (CUDA, NCCL or an allocator): its last lines above say why",
    ),
    signal.SIGFPE: ("arithmetic-fault", "a fault in native code: try another image of vLLM"),
}
