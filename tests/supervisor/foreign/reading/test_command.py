"""The watch over a reading, and the line that comes of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from supervisor.foreign.reading import command
from supervisor.foreign.reading.room import Room
from supervisor.foreign.reading.threads import Reading

GIB = 1 << 30
M = "/models/m"
REST = "the engine reads the rest itself"
FINE = Room(8 * GIB, 10 * GIB)
SHORT = Room(GIB // 4, 10 * GIB)


@dataclass
class Hung(Reading):
    """One that is not going on by itself."""

    steps: int = 0
    stopped: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def stop(self, why: str) -> None:
        self.stopped.append(why)
        self.over.set()


def done(**values: object) -> Reading:
    reading = Reading("/models/m", "auto", "")
    said = {"done": 4 * 10**9, "size": 4 * 10**9, "whole": 4 * 10**9, "kind": "ext4", "readers": 4}
    for name, value in {**said, **values}.items():
        setattr(reading, name, value)
    return reading


@pytest.mark.parametrize(
    ("reading", "line"),
    [
        (done(), "4.00 of 4.00 GB of /models/m in 2.0 s (ext4, 4 at once)"),
        (
            done(size=10**9, done=10**9),
            f"1.00 of 4.00 GB of {M} in 2.0 s (ext4, 4 at once); there is no memory for the rest",
        ),
        (done(size=0, done=0), "no memory is left for 4.00 GB of /models/m"),
        (done(size=0, done=0, whole=0), ""),
        (done(size=0, done=0, kind="tmpfs"), ""),
        (
            done(done=10**9, why="it rains"),
            f"stopped after 1.00 of 4.00 GB of {M}: it rains; {REST}",
        ),
        (
            done(done=0, whole=0, why="nothing came for 30 s"),
            f"stopped after a look at {M}: nothing came for 30 s; {REST}",
        ),
    ],
)
def test_one_line_says_what_came_of_it(reading: Reading, line: str) -> None:
    assert command.said(reading, 2.0) == line


def test_a_read_that_never_returns_is_given_up() -> None:
    hung = Hung()
    command.watch(hung, lambda: FINE, every=0.001, silent_for=20)
    assert hung.stopped == ["nothing came for 0 s"]


def test_one_that_goes_on_is_not() -> None:
    slow = Hung()
    looks = []

    def memory() -> Room:
        looks.append(1)
        slow.steps += 1
        if len(looks) > 20:
            slow.over.set()
        return FINE

    command.watch(slow, memory, every=0.001, silent_for=5)
    assert slow.stopped == []


def test_it_ends_when_memory_gets_short() -> None:
    reading = Hung()
    command.watch(reading, lambda: SHORT, every=0.001, silent_for=1000)
    assert reading.stopped == ["only 0.3 GB of memory is left"]


def test_nobody_may_say_how_much_memory_there_is() -> None:
    reading = Hung()
    command.watch(reading, lambda: None, every=0.001, silent_for=20)
    assert reading.stopped == ["nothing came for 0 s"]
