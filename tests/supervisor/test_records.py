"""What `records` makes is what the library makes, as far as it goes."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from supervisor import records

HOW = [{}, {"slots": True}, {"frozen": True}, {"frozen": True, "slots": True}]


@records.dataclass(frozen=True, slots=True)
class Point:
    """A place."""

    x: int
    tags: tuple[str, ...] = ()

    @property
    def is_far(self) -> bool:
        """Whether it is."""
        return self.x > 100


class Corner(Point):
    """A kind of it, without fields of its own."""

    __slots__ = ()


def made(library: Any, how: dict[str, bool]) -> Any:
    """A class with each kind of field."""

    class Kinds:
        """Its text."""

        first: int
        second: str = "b"
        third: list[int] = library.field(default_factory=list)
        fourth: int = library.field(default=4, repr=False)
        fifth: int = library.field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "fifth", self.first + 4)

    return library.dataclass(**how)(Kinds)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("given", "named"), [((1,), {}), ((1, "x", [7], 9), {}), ((), {"fourth": 0, "first": 2})]
)
def test_an_instance_is_as_the_librarys(
    how: dict[str, bool], given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    theirs, ours = made(dataclasses, how), made(records, how)
    one, other = theirs(*given, **named), ours(*given, **named)
    assert repr(other) == repr(one)
    assert dataclasses.asdict(other) == dataclasses.asdict(one)
    assert other == ours(*given, **named)
    assert other not in (one, ours(3))
    assert hasattr(other, "__dict__") == hasattr(one, "__dict__")
    assert copy.deepcopy(other) == other
    match other:
        case ours(first, second, third, fourth):
            assert (first, second, third, fourth) == (one.first, one.second, one.third, one.fourth)


@pytest.mark.parametrize("how", HOW)
def test_a_class_is_as_the_librarys(how: dict[str, bool]) -> None:
    theirs, ours = made(dataclasses, how), made(records, how)
    assert ours.__doc__ == theirs.__doc__
    assert ours.__qualname__ == theirs.__qualname__
    assert ours.__match_args__ == theirs.__match_args__
    assert getattr(ours, "second", None) == getattr(theirs, "second", None) or "slots" in how
    told = [
        [(each.name, each.type, each.init, each.repr, each.default) for each in found]
        for found in (dataclasses.fields(theirs), dataclasses.fields(ours))
    ]
    assert told[0] == told[1]
    assert ours(1).third is not ours(1).third
    for wrong in [{}, {"first": 1, "sixth": 6}, {"first": 1, "fifth": 5}]:
        for library in (theirs, ours):
            with pytest.raises(TypeError, match=r"__init__\(\)"):
                library(**wrong)


def test_what_is_frozen_can_be_a_key_and_stays() -> None:
    point = Point(1, ("a",))
    assert {point: 1}[Point(1, ("a",))] == 1
    with pytest.raises(dataclasses.FrozenInstanceError, match="'x'"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="'x'"):
        del point.x
    assert pickle.loads(pickle.dumps(point)) == point  # noqa: S301 - our own


def test_what_is_not_frozen_changes_and_is_no_key() -> None:
    kinds = made(records, {"slots": True})
    changing = kinds(1)
    changing.second = "c"
    assert changing == kinds(1, "c")
    with pytest.raises(TypeError, match="unhashable"):
        hash(changing)
    with pytest.raises(AttributeError):
        changing.sixth = 6


@pytest.mark.parametrize("replace", [dataclasses.replace, records.replace])
def test_a_copy_with_changes(replace: Any) -> None:
    """By the library's and by ours, of a record and of one of the library's."""
    assert replace(Point(1, ("a",)), x=101) == Point(101, ("a",))
    assert replace(Point(1), x=101).is_far
    corner = replace(Corner(1), tags=("b",))
    assert (type(corner), corner.tags) == (Corner, ("b",))
    theirs: Any = dataclasses.make_dataclass("Theirs", ["x", "y"])
    assert replace(theirs(1, 2), y=3) == theirs(1, 3)
    with pytest.raises(TypeError):
        replace(Point(1), z=1)


def test_a_kind_of_a_record_is_another_one() -> None:
    assert repr(Corner(1)) == "Corner(x=1, tags=())"
    assert Corner(1) != Point(1)
    assert [each.name for each in dataclasses.fields(Corner)] == ["x", "tags"]
