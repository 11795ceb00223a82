"""Values are checked by what the catalogue says of their option."""

from __future__ import annotations

import pytest

from supervisor.catalog import Kind, Option
from supervisor.command import values
from supervisor.command.values.remedies import Refused

WHOLE = Option("--n", Kind.VALUE, type="int")
SIZE = Option("--n", Kind.VALUE, type="int", human_int=True, auto_ok=True)
NUMBER = Option("--f", Kind.VALUE, type="optional[float]", none_ok=True)
CHOICE = Option("--c", Kind.VALUE, choices=("auto", 8))
OBJECT = Option("--j", Kind.JSON, type="json_dataclass")
EITHER = Option("--e", Kind.JSON_OR_STR)
KVS = Option("--k", Kind.VALUE, type="nullable_kvs")
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


@pytest.mark.parametrize(
    ("option", "text", "expected"),
    [
        (KVS, '{"image": 4, "video": 1}', "image=4,video=1"),
        (KVS, "image=4", "image=4"),
        (OBJECT, "image=4,video=1", '{"image":4,"video":1}'),
        (OBJECT, ' {"image": 4} ', '{"image": 4}'),
        (OBJECT, '{"bytes": 80g, "name": "80g"}', '{"bytes": 80g, "name": "80g"}'),
        (EITHER, "cpu", "cpu"),
        (EITHER, "rope_theta=1", '{"rope_theta":1}'),
        (Option("--o", Kind.JSON, default=["*"]), "https://a https://b", '["https://a","https://b"]'),
        (Option("--o", Kind.JSON, default=[]), "*", '["*"]'),
        (NUMBER, " None ", "None"),
    ],
)  # fmt: skip
def test_words_become_what_the_engine_takes(option: Option, text: str, expected: str) -> None:
    assert values.written(option, text) == expected


@pytest.mark.parametrize("text", ["word", "{image:4}", "[1]", "{'image': 4}", "image 4", '"a"'])
def test_what_is_no_json_is_answered_with_the_form_that_works(text: str) -> None:
    option = Option("--limit-mm-per-prompt", Kind.JSON, type="json_dataclass")
    with pytest.raises(Refused) as refusal:
        values.written(option, text)
    assert refusal.value.remedy == 'write it as LIMIT_MM_PER_PROMPT={"image":4}'


@pytest.mark.parametrize("kind", [Kind.JSON, Kind.JSON_OR_STR])
def test_json_in_a_string_of_json_is_refused(kind: Kind) -> None:
    with pytest.raises(Refused, match="is a JSON string with JSON in it") as refusal:
        values.written(Option("--o", kind), r'"{\"model\": \"x\"}"')
    assert refusal.value.remedy == "take the outer quotes and the backslashes out"
    assert values.written(Option("--o", kind), '"x"') == '"x"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4k", 4000), ("4K", 4096), ("1.5m", 1.5e6), ("2G", 2 * 1024**3), ("0.5", 0.5), ("-1", -1)],
)
def test_numbers(text: str, expected: float) -> None:
    assert values.number(text) == expected


@pytest.mark.parametrize("text", ["auto", "", "1.5M", "k", "None"])
def test_no_numbers(text: str) -> None:
    assert values.number(text) is None


def test_of_several_items_the_wrong_one_is_named() -> None:
    option = Option("--sizes", Kind.LIST, type="int")
    with pytest.raises(Refused, match=r"^has x in it, which is not a whole number$"):
        values.items(option, "1,2,x")
    with pytest.raises(Refused, match=r"^is not a whole number$"):
        values.items(option, "x")
