"""In which life of the engine a request was sent."""

from __future__ import annotations

import time

import pytest

from proxy.engine.lives import Lives
from supervisor.link.standing import Standing


def ready(restarts: int, since: float = 0.0) -> Standing:
    return Standing("READY", since or time.time(), restarts=restarts)


def test_a_life_begins_when_the_engine_is_back() -> None:
    lives = Lives()
    first = lives.sent()
    lives.asked(well=False)
    assert not lives.was_another(first)
    lives.asked(well=True)
    assert lives.was_another(first)
    assert not lives.was_another(lives.sent())


def test_one_that_was_not_well_for_a_moment_is_the_same_where_restarts_are_counted() -> None:
    lives = Lives()
    lives.told(ready(0))
    first = lives.sent()
    lives.asked(well=False)
    lives.asked(well=True)
    lives.told(ready(0))
    assert not lives.was_another(first)


def test_a_restart_that_nobody_noticed_is_told_by_its_count() -> None:
    lives = Lives()
    lives.told(ready(0))
    before = lives.sent()
    time.sleep(0.01)  # beyond what the two clocks may differ by
    now = time.time()
    time.sleep(0.01)
    after = lives.sent()
    lives.told(ready(1, now))
    assert lives.was_another(before)
    assert not lives.was_another(after), "it came later"
    assert lives.sent().life == before.life + 1


@pytest.mark.parametrize("notices_first", [True, False])
def test_a_restart_that_was_noticed_begins_one_life(notices_first: bool) -> None:
    lives = Lives()
    lives.told(ready(0))
    before = lives.sent()
    lives.asked(well=False)
    if notices_first:
        lives.told(ready(1))
    lives.asked(well=True)
    lives.told(ready(1))
    assert lives.was_another(before)
    assert lives.sent().life == before.life + 1


def test_a_clock_that_was_set_makes_no_later_request_one_of_before() -> None:
    lives = Lives()
    lives.told(ready(0))
    before = lives.sent()
    lives.told(ready(1, time.time() + 3600))
    assert lives.was_another(before)
    assert not lives.was_another(lives.sent())


def test_only_a_worker_that_is_ready_tells_since_when_there_is_its_engine() -> None:
    lives = Lives()
    lives.told(ready(0))
    after = lives.sent()
    lives.told(Standing("DRAINING", time.time(), restarts=1))
    assert not lives.was_another(after)
