"""Who may be sent when, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from proxy.losses.suspects import Suspects, Trial


class Gate:
    """Suspects, who has been let in, and what the supervisor was told."""

    def __init__(self) -> None:
        self.told: list[str | None] = []
        self.suspects = Suspects(self.told.append)
        self.inside: list[str] = []
        self.life = 0
        self.trials: dict[str, Trial] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def enter(self, *names: str) -> None:
        for name in names:
            self.trials[name] = Trial(name)
            self._wait(name, self.suspects.enter(self.trials[name]))
        await settle()

    async def again(self, *names: str) -> None:
        """Each asks for its turn."""
        for name in names:
            self.inside.remove(name)
            self._wait(name, self.suspects.turn(self.trials[name]))
        await settle()

    async def die(self, *names: str) -> None:
        """The engine ends with these in hand, and they are to be sent again."""
        for name in names:
            self.suspects.lost(self.trials[name], self.life)
        self.life += 1
        await self.again(*names)

    async def leave(self, *names: str) -> None:
        for name in names:
            self.suspects.leave(self.trials[name])
            if name in self.inside:
                self.inside.remove(name)
        await settle()

    async def begin(self, name: str) -> None:
        self.suspects.begun(self.trials[name])
        await settle()

    def _wait(self, name: str, turn: Coroutine[Any, Any, None]) -> None:
        async def wait() -> None:
            await turn
            self.inside.append(name)
            assert self.suspects.may_go(self.trials[name])

        self.tasks[name] = asyncio.create_task(wait())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def test_all_are_let_in_where_there_are_no_suspects(gate: Gate) -> None:
    await gate.enter("a", "b", "c")
    await gate.die("a", "b", "c")
    assert gate.inside == ["a", "b", "c"]
    await gate.leave("a", "b", "c")
    assert gate.told == []


async def test_what_was_in_hand_twice_goes_one_by_one_after_the_others(gate: Gate) -> None:
    await gate.enter("a", "b", "c")
    await gate.die("a", "b")  # c gives output already, and goes on in this test
    await gate.die("a", "b")
    assert gate.inside == ["c"]
    await gate.leave("c")
    assert gate.inside == ["a"]
    await gate.begin("a")
    assert gate.inside == ["a", "b"]
    await gate.leave("b")
    assert gate.told == ["a", "b", None]


async def test_an_end_counts_for_those_that_wait_to_be_sent_again(gate: Gate) -> None:
    """Each killer that comes back first would end an engine of its own otherwise."""
    await gate.enter("a", "b", "c", "new")
    await gate.die("a", "b", "c")
    await gate.die("a")
    assert gate.inside == ["new", "b", "c"]
    assert not gate.suspects.may_go(gate.trials["b"])
    await gate.again("b", "c")
    assert gate.inside == ["new"]
    await gate.leave("new")
    assert [len(gate.inside), gate.told] == [1, gate.inside]


async def test_one_that_gives_output_is_no_suspect_however_it_came_to_that(gate: Gate) -> None:
    await gate.enter("a", "b", "c")
    await gate.die("a", "b", "c")
    await gate.die("a")
    await gate.begin("b")
    await gate.leave("c")
    assert "a" in gate.inside


async def test_the_next_one_begins_when_the_one_before_has_ended(gate: Gate) -> None:
    await gate.enter("a", "b")
    for _ in range(2):
        await gate.die("a", "b")
    assert gate.inside == ["a"]
    assert gate.suspects.is_tried(gate.trials["a"])
    await gate.leave("a")
    assert gate.inside == ["b"]


async def test_new_jobs_wait_behind_the_suspects(gate: Gate) -> None:
    await gate.enter("a", "b")
    for _ in range(2):
        await gate.die("a", "b")
    await gate.enter("n", "m")
    assert gate.inside == ["a"]
    await gate.begin("a")
    assert gate.inside == ["a", "b"]
    await gate.begin("b")
    assert gate.inside == ["a", "b", "n", "m"]
    await gate.die("n", "m")
    assert gate.inside == ["a", "b", "n", "m"]


async def test_what_was_lost_once_goes_before_the_suspects(gate: Gate) -> None:
    await gate.enter("old")
    await gate.die("old")
    await gate.enter("new")
    await gate.die("old", "new")
    assert gate.inside == ["new"]
    await gate.leave("new")
    assert gate.inside == ["old"]


async def test_a_suspect_whose_connection_was_cut_keeps_its_turn(gate: Gate) -> None:
    await gate.enter("a", "b")
    for _ in range(2):
        await gate.die("a", "b")
    await gate.again("a")
    assert gate.inside == ["a"]


@pytest.mark.parametrize(
    "cancelled", [["a"], ["b"], ["n"], ["a", "b"], ["b", "n"], ["a", "b", "n"]]
)
async def test_jobs_that_are_cancelled_hold_up_nobody(gate: Gate, cancelled: list[str]) -> None:
    """One that is tried, one that waits for its turn, one that has just come."""
    await gate.enter("a", "b")
    for _ in range(2):
        await gate.die("a", "b")
    await gate.enter("n")
    for name in cancelled:
        gate.tasks[name].cancel()
    await gate.leave(*cancelled)
    for name in ("a", "b", "n"):
        if name not in cancelled:
            assert name in gate.inside
            await gate.leave(name)
    await gate.enter("last")
    assert gate.inside == ["last"]
    assert gate.told[-1] is None


async def test_one_that_is_cancelled_at_the_moment_of_its_turn_passes_it_on(gate: Gate) -> None:
    await gate.enter("a", "b", "c")
    for _ in range(2):
        await gate.die("a", "b", "c")
    gate.suspects.leave(gate.trials["a"])
    gate.tasks["b"].cancel()  # has its turn, and does not know it yet
    gate.suspects.leave(gate.trials["b"])
    await settle()
    assert gate.inside == ["a", "c"]
