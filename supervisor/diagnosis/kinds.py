"""What a diagnosis is, and the short names of ends that more than people go by.

The other names stand in `rules`.
"""

from __future__ import annotations

from dataclasses import dataclass

OUT_OF_MEMORY = "out-of-memory"
#: The worker itself refused its settings.
CONFIGURATION = "configuration"
#: The engine's command could not be started.
COMMAND_NOT_FOUND = "command-not-found"
COMMAND_NOT_EXECUTABLE = "command-not-executable"
#: Why the worker itself ended an engine: no answer to its probes, no token for those who wait, not
#: ready in time, dead by its own words.
HUNG, STALLED, LATE, DEAD = "hung", "stalled", "not-ready-in-time", "dead"
#: The same, of several nodes that serve one model: another node is gone, rank 0 ended all engines,
#: the engine was healthy and answered no request.
NODE_LOST, ORDERED, NO_ANSWER = "node-lost", "ended-by-rank-0", "no-answer"

#: Nothing is known of the cause.
UNKNOWN = "unknown"
#: Something of the model, of its tokenizer or of an adapter is missing, or cannot be had.
OF_FILES = frozenset(
    """
    gated token-refused revision-not-found model-not-found download-refused rate-limited hub-failed
    download-broken network not-downloaded disk-full no-permission file-not-found tokenizer-missing
    weights-missing weights-damaged config-damaged lora-not-found
    """.split()
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What went wrong and what to do.

    `final`: another start would end the same way. `kind` is a short name that stays the same, for
    programs. `shared`: see `rules.Rule`. `told`: by the engine itself. `said` is that in its own
    words, for the log alone: it may hold anything.
    """

    cause: str
    remedy: str
    final: bool = False
    kind: str = UNKNOWN
    shared: bool = False
    told: bool = False
    said: str = ""

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}"


OUT_OF_MEMORY_DIED = Diagnosis(
    "the engine was killed because the machine's or container's memory ran out",
    "give the worker more memory, use a smaller or quantised model, or lower CPU_OFFLOAD_GB and"
    " KV_OFFLOADING_SIZE where they are set",
    kind=OUT_OF_MEMORY,
)

LOST = Diagnosis(
    "a process of the engine died without an error message, as a killed process does",
    "most often the machine's or container's memory ran out: give the worker more memory or use a"
    " smaller model",
    kind="process-lost",
)
