"""The figures of a run, as lines for a person. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_WAITED = 4.0  # seconds: where RunPod's queue delay counts a job, by its default


@dataclass(frozen=True)
class Measured:
    """What was seen beside the jobs."""

    waiting: Sequence[tuple[int, int]]  # jobs in the queue and at workers, at each look
    cpu: Mapping[str, float]  # seconds, by who took them
    memory_mb: float  # of all processes together, at the end
    connections: int = 0  # that were cut
    cut: Mapping[str, float | None] = field(default_factory=dict)  # as `verdict.judge` has it


def lines(found: Sequence[Mapping[str, Any]], measured: Measured) -> Iterator[str]:
    """The figures of these jobs, which the platform knows as `found`."""
    ended = [job for job in found if job["endedAt"] is not None]
    if not ended:
        yield "no job ended"
        return
    began = min(job["queuedAt"] for job in found)
    submitted = max(job["queuedAt"] for job in found)
    end = max(job["endedAt"] for job in ended)
    seconds = end - began
    yield (
        f"jobs: {len(ended)} of {len(found)} ended in {seconds:.1f} s,"
        f" {len(ended) / seconds:.0f} jobs/s; submitted within {submitted - began:.1f} s,"
        f" drained {end - submitted:.1f} s later"
    )
    yield from _waits(found, measured.waiting)
    yield from _shares(ended)
    yield from _cut(found, measured)
    cpu = ", ".join(
        f"{who} {used:.1f} s ({used / len(ended) * 1e3:.2f} ms a job)"
        for who, used in measured.cpu.items()
    )
    cores = sum(measured.cpu.values()) / seconds
    yield f"CPU: {cpu}; together {cores:.2f} cores; memory: {measured.memory_mb:.0f} MB"


def fairness(counts: Sequence[int]) -> tuple[float, float]:
    """The most and the fewest jobs of a worker, to the mean."""
    mean = statistics.fmean(counts)
    return (max(counts) / mean, min(counts) / mean) if mean else (1.0, 1.0)


def _waits(found: Sequence[Mapping[str, Any]], waiting: Sequence[tuple[int, int]]) -> Iterator[str]:
    waits = sorted(job["takenAt"] - job["queuedAt"] for job in found if job["takenAt"] is not None)
    if waits:
        late = sum(wait > _WAITED for wait in waits)
        most = max((queued for queued, _ in waiting), default=0)
        load = max((queued + running for queued, running in waiting), default=0)
        yield (
            f"in the queue: {most} jobs at most ({load} with those at workers); a job waited"
            f" {statistics.median(waits):.1f} s at the median, {waits[-1]:.1f} s at most,"
            f" {late} over {_WAITED:.0f} s"
        )


def _shares(ended: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    counts = Counter(str(job["workerId"]) for job in ended)
    for kind in ("light", "real"):
        some = sorted(count for name, count in counts.items() if name.startswith(kind))
        if some:
            most, fewest = fairness(some)
            yield (
                f"fairness: {len(some)} {kind} workers, {some[0]} to {some[-1]} jobs each;"
                f" most to mean {most:.2f}, fewest to mean {fewest:.2f}"
            )


def _cut(found: Sequence[Mapping[str, Any]], measured: Measured) -> Iterator[str]:
    if measured.cut:
        back = [seconds for seconds in measured.cut.values() if seconds is not None]
        redelivered = sum(job["redelivered"] for job in found)
        yield (
            f"cut at once: {measured.connections} connections of {len(measured.cut)} workers;"
            f" {len(back)} came back, the last after {max(back, default=0):.1f} s;"
            f" {redelivered} jobs went back into the queue"
        )
