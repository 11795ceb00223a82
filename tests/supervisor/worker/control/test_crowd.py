"""Too many connections."""

from __future__ import annotations

from supervisor.worker.control.crowd import Crowd


class One:
    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self.dropped = False
        self.concluded = False

    def conclude(self) -> None:
        self.concluded = True

    def drop(self) -> None:
        self.dropped = True
        self._crowd.leaves(self)


def crowd_of(most: int, count: int) -> tuple[Crowd, list[One]]:
    crowd = Crowd(most)
    ones = [One(crowd) for _ in range(count)]
    for one in ones:
        crowd.rests(one)
    return crowd, ones


def test_a_new_one_takes_the_place_of_the_one_that_was_idle_longest() -> None:
    crowd, ones = crowd_of(3, 5)
    assert [one.dropped for one in ones] == [True, True, False, False, False]
    assert len(crowd) == 3


def test_one_that_was_answered_is_young_again() -> None:
    crowd, (first, second) = crowd_of(2, 2)
    crowd.works(first)
    crowd.rests(first)
    crowd.rests(One(crowd))
    assert (first.dropped, second.dropped) == (False, True)


def test_one_that_waits_for_its_answer_goes_only_where_no_other_is_idle() -> None:
    crowd, ones = crowd_of(3, 3)
    for one in ones[:2]:
        crowd.works(one)
    crowd.rests(One(crowd))
    assert [one.dropped for one in ones] == [False, False, True]
    assert crowd.busy
    assert crowd.drop_one(), "the idle one"
    assert crowd.drop_one()
    assert [one.dropped for one in ones] == [True, False, True]
    crowd.drop_all()
    assert len(crowd) == 0
    assert not crowd.drop_one()


def test_one_that_ends_makes_room() -> None:
    crowd, ones = crowd_of(2, 2)
    crowd.leaves(ones[0])
    crowd.rests(One(crowd))
    assert not ones[1].dropped


def test_those_that_look_on_are_few_and_stay_before_idle_ones() -> None:
    crowd = Crowd(3, lookers=1)
    ones = [One(crowd) for _ in range(3)]
    for one in ones:
        crowd.rests(one)
    assert crowd.looks_on(ones[0])
    assert not crowd.looks_on(ones[1])
    assert not crowd.busy
    crowd.rests(One(crowd))
    assert [one.dropped for one in ones] == [False, True, False]
    crowd.conclude()
    assert [one.concluded for one in ones] == [True, False, False]
    crowd.drop_all()
    assert ones[0].dropped
