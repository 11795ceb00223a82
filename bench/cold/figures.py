"""Medians of starts, and what they are to reach. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median

from bench.cold.setups import HUB, LOCAL, SECOND, SETUPS, VOLUME
from bench.cold.start import CONTENDERS, OURS, Start

Starts = Mapping[tuple[str, str], Sequence[Start]]  # by set-up and contender
Alone = Mapping[str, Sequence[float]]  # seconds of the download, and of the read, by set-up

_TELLING = 1.4  # of the longer one: less says nothing of what overlaps
_BUSY = 0.1  # cores


def medians(starts: Starts) -> dict[tuple[str, str], Start]:
    """Of each figure by itself."""
    names = [field.name for field in fields(Start)]
    return {
        key: Start(**{name: median(getattr(one, name) for one in found) for name in names})
        for key, found in starts.items()
        if found
    }


def table(starts: Starts) -> list[str]:
    """A line for each set-up and contender."""
    found = medians(starts)
    head = f"{'set-up':<8} {'':<16} {'health':>8} {'ready':>8} {'token':>8} {'1st':>8} {'10th':>8}"
    keys = [(setup, contender) for setup in SETUPS for contender in CONTENDERS]
    return [head, *(_row(*key, found[key]) for key in keys if key in found)]


def _row(setup: str, contender: str, one: Start) -> str:
    return (
        f"{setup:<8} {contender:<16} {one.health_s:>6.1f} s {one.ready_s:>6.1f} s"
        f" {one.token_s:>6.1f} s {one.first_ms:>5.0f} ms {one.tenth_ms:>5.0f} ms"
    )


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio, what it may be at most, and what it is made of; no ratio: why there is none."""

    what: str
    most: float
    ratio: float | None
    of: str

    def line(self) -> str:
        """Met, missed or open."""
        if self.ratio is None:
            return f"open    {self.what}: {self.of}; at most {self.most:g}"
        word = "met   " if self.ratio <= self.most else "missed"
        return f"{word}  {self.what}: {self.ratio:.3f}, {self.of}; at most {self.most:g}"


def goals(starts: Starts, alone: Alone) -> Iterator[Goal]:
    """Of those set-ups that were measured."""
    found = medians(starts)
    for setup, words in ((HUB, "download"), (VOLUME, "read")):
        if (setup, OURS) in found:
            yield _overlap(setup, words, found, alone)
    for setup in (LOCAL, SECOND):
        yield from _beside_bare(setup, found)


def _beside_bare(setup: str, found: Mapping[tuple[str, str], Start]) -> Iterator[Goal]:
    """A start whose model is on this machine, which takes no longer than vLLM's own."""
    bare, ours, warm = (found.get((setup, contender)) for contender in CONTENDERS)
    if bare and ours:
        yield _ratio(f"{setup}: health, over bare", 1.02, ours.health_s, bare.health_s, "s")
    if bare and warm:
        what = f"{setup}: first token, warmed up, over bare"
        yield _ratio(what, 1.0, warm.token_s, bare.token_s, "s")
    if warm:
        what = f"{setup}: first answer's time to first token, warmed up, over the tenth's"
        yield _ratio(what, 1.3, warm.first_ms, warm.tenth_ms, "ms")


def _overlap(setup: str, words: str, found: Mapping[tuple[str, str], Start], alone: Alone) -> Goal:
    """A start that is as long as its longest part."""
    what, most = f"{setup}: health, over the longer of {words} and start without", 1.15
    without = found.get((LOCAL, OURS))
    if without is None or not alone.get(setup):
        return Goal(what, most, None, f"{LOCAL} was not measured beside it")
    beside = median(alone[setup])
    longer = max(beside, without.health_s)
    if beside + without.health_s < _TELLING * longer:
        of = f"{words} {beside:.1f} s and start {without.health_s:.1f} s are too far apart"
        return Goal(what, most, None, of)
    health = found[setup, OURS].health_s
    of = f"{health:.1f} s with {words} {beside:.1f} s and start {without.health_s:.1f} s"
    return Goal(what, most, health / longer, of)


def _ratio(what: str, most: float, ours: float, theirs: float, unit: str) -> Goal:
    return Goal(what, most, ours / theirs, f"{ours:.1f} to {theirs:.1f} {unit}")


def of_process(spawned_ms: float, first_poll_ms: float, python_ms: float) -> Iterator[Goal]:
    """Our own share, over what an empty Python takes."""
    yield _ratio("process start to spawn, over an empty Python", 10, spawned_ms, python_ms, "ms")
    what = "ready to first job, over an empty Python"
    yield _ratio(what, 6, first_poll_ms, python_ms, "ms")


def remarks(starts: Starts) -> Iterator[str]:
    """Runs beside which the machine had other work."""
    for (setup, contender), found in starts.items():
        for number, one in enumerate(found, 1):
            if one.other_cores > _BUSY:
                run = f"{setup}, {contender}, round {number}"
                yield f"{run}: {one.other_cores:.1f} cores were busy with something else"
