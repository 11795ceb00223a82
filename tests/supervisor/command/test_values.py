"""Values are checked by what the catalogue says of their option."""

from __future__ import annotations

import pytest

from supervisor.catalog import Kind, Option
from supervisor.command import values

WHOLE = Option("--n", Kind.VALUE, type="int")
SIZE = Option("--n", Kind.VALUE, type="int", human_int=True, auto_ok=True)
NUMBER = Option("--f", Kind.VALUE, type="optional[float]", none_ok=True)
CHOICE = Option("--c", Kind.VALUE, choices=("auto", 8))
OBJECT = Option("--j", Kind.JSON, type="json_dataclass")
EITHER = Option("--e", Kind.JSON_OR_STR)
LIST = Option("--l", Kind.LIST)
NUMBERS = Option("--l", Kind.LIST, type="int")


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (WHOLE, "-1"), (SIZE, "4096"), (SIZE, "4k"), (SIZE, "4K"), (SIZE, "1.5m"), (SIZE, "auto"),
        (NUMBER, "0.5"), (NUMBER, "None"), (CHOICE, "8"), (OBJECT, '{"a": 1}'), (EITHER, "word"),
        (EITHER, '{"a": 1}'),
    ],
)  # fmt: skip
def test_accepted(option: Option, text: str) -> None:
    values.check(option, text)


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        (WHOLE, "4k", "is not a whole number"),
        (WHOLE, "None", "is not a whole number"),
        (SIZE, "1.5M", "is not a whole number (4096, 4k, 4K, 1M, or auto)"),
        (NUMBER, "half", "is not a number"),
        (CHOICE, "16", "is not one of auto, 8"),
        (OBJECT, "word", "is not JSON: "),
        (OBJECT, "[1]", "is not a JSON object"),
        (EITHER, "{a", "is not JSON: "),
    ],
)
def test_refused_with_what_is_accepted(option: Option, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^is not ") as refusal:
        values.check(option, text)
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a, b  c\n", ["a", "b", "c"]),
        ('["a b", "c"]', ["a b", "c"]),
        ('[{"a": 1}, "b"]', ['{"a":1}', "b"]),
        ('{"a": "ü"}', ['{"a":"ü"}']),
        ("-1.5", ["-1.5"]),
    ],
)
def test_the_items_of_a_list(text: str, expected: list[str]) -> None:
    assert values.items(LIST, text) == expected


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        (LIST, " ", "is an empty list; unset it instead"),
        (LIST, "a --port", "contains --port, which the engine would read as an option"),
        (NUMBERS, "1 two", "is not a whole number"),
        (LIST, "[1", "is not JSON"),
    ],
)
def test_a_list_that_cannot_be(option: Option, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        values.items(option, text)
