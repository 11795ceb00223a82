"""Jobs that cannot be read take no others with them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.poll import polled
from proxy.poll.polled import Job, Unreadable

SOUND = {"id": "sound", "input": {"prompt": 'a "quoted\\" ]},{[ text\\'}}
DIGITS = b'{"input": {"id": "not this", "n": ' + b"7" * 5000 + b'}, "id": "long"}'
MANY = "an integer has too many digits"
DEEP = b'{"id": "deep", "input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def read(text: bytes) -> list[Job | Unreadable]:
    """The jobs alone, without the turns of others."""
    return [one for one in polled.read(text) if one is not None]


def test_one_job_and_several() -> None:
    text = json.dumps(SOUND).encode()
    assert read(text) == [SOUND]
    assert read(b"[%b, %b]" % (text, text)) == [SOUND, SOUND]
    assert read(b"[]") == []


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        (DIGITS, "long", MANY),
        (DEEP, "deep", "it is nested too deeply"),
        (b'{"id": "half", "input": {"a": }}', "half", "it is not JSON: Expecting value"),
        (b'{"id": "bytes", "input": "\xff"}', "bytes", "it is not UTF-8"),
        (b'{"id": "x"}', "x", "it has no input"),
        (
            b'{"input": {"id": "y"}, "n": ' + b"7" * 5000 + b"}",
            None,
            "an integer has too many digits",
        ),
        (b'{"input": {}}', None, "it has no id of printable ASCII"),
        (b'{"id": true, "input": {}}', None, "it has no id of printable ASCII"),
        (b"17", None, "it is no object"),
    ],
)
def test_a_job_that_cannot_be_read_is_alone_in_it(text: bytes, name: str | None, why: str) -> None:
    sound = json.dumps(SOUND).encode()
    assert read(text) == [Unreadable(name, why)]
    assert read(b"[%b,%b, %b]" % (sound, text, sound)) == [SOUND, Unreadable(name, why), SOUND]
    assert read(b"[%b]" % text) == [Unreadable(name, why)]


@pytest.mark.parametrize("name", ["a b", "a\\nb", "ü", "\\ud800", "", "x" * 201])
def test_an_id_is_of_printable_ascii(name: str) -> None:
    """It stands in addresses, headers, logs and lines of the worker's own."""
    (found,) = read(b'{"id": "%b", "input": {}}' % name.encode())
    assert found == Unreadable(None, "it has no id of printable ASCII")


@pytest.mark.usefixtures("all_large")
def test_numbers_of_no_use_are_not_read_at_all() -> None:
    text = b'{"id": "a", "input": {"text": "%b", "n": %b}}'
    assert read(text % (b"7" * 5000, b"7")) == [json.loads(text % (b"7" * 5000, b"7"))]
    assert read(text % (b"7", b"7" * 4000)) == [Unreadable("a", MANY)]


def test_a_number_is_an_id_too() -> None:
    assert read(b'{"id": 7, "input": {}}') == [{"id": "7", "input": {}}]


def test_of_an_answer_that_was_cut_off_the_whole_jobs_are_read() -> None:
    sound = json.dumps(SOUND).encode()
    found = read(b"[%b, %b" % (sound, sound[:20]))
    assert found[0] == SOUND
    assert isinstance(found[1], Unreadable)
    assert found[1].id == "sound"


@given(st.binary(max_size=200))
def test_whatever_comes_nothing_is_raised(text: bytes) -> None:
    read(text)
    read(b"[" + text + b"," + DIGITS + b"]")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(_JSON, max_size=4), st.integers(min_value=0, max_value=4), st.booleans())
def test_jobs_beside_one_that_cannot_be_read_are_what_they_are(
    inputs: list[object], place: int, ascii_only: bool
) -> None:
    jobs = [{"id": f"job-{number}", "input": one} for number, one in enumerate(inputs)]
    texts = [
        json.dumps(one, ensure_ascii=ascii_only).encode(errors="surrogatepass") for one in jobs
    ]
    sound = [json.loads(text) for text in texts]
    place = min(place, len(texts))
    found = read(b"[%b]" % b", ".join([*texts[:place], DIGITS, *texts[place:]]))
    assert found[place] == Unreadable("long", MANY)
    assert found[:place] + found[place + 1 :] == sound


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every text were a large one."""
    monkeypatch.setattr(polled, "_LARGE", 0)


@pytest.mark.usefixtures("all_large")
def test_a_large_answer_is_read_job_by_job() -> None:
    test_one_job_and_several()
    test_a_number_is_an_id_too()
    test_of_an_answer_that_was_cut_off_the_whole_jobs_are_read()
    sound = json.dumps(SOUND).encode()
    assert list(polled.read(b"[%b,%b]" % (sound, sound))) == [SOUND, None, SOUND, None]


@pytest.mark.usefixtures("all_large")
def test_a_job_of_too_many_values_is_alone_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is inside texts does not count."""
    monkeypatch.setattr(polled, "MOST_VALUES", 1000)
    sound = json.dumps({"id": "text", "input": {"prompt": ', "a": [' * 10_000}}).encode()
    kinds: list[Any] = [[1] * 1000, [[]] * 1000, {str(number): 1 for number in range(1000)}]
    for many in kinds:
        heavy = json.dumps({"input": many, "id": "heavy"}).encode()
        first, second, third = read(b"[%b, %b, %b]" % (sound, heavy, sound))
        assert first == third == json.loads(sound)
        assert isinstance(second, Unreadable)
        assert second.id == "heavy"
        assert "values" in second.why


def test_others_have_their_turn_while_a_large_answer_is_looked_through() -> None:
    """As often as it has ten thousand signs and texts."""
    text = json.dumps({"id": "a", "input": [[]] * 200_000}).encode()
    found = list(polled.read(text))
    assert found.count(None) > 50
    assert [one for one in found if one is not None] == [json.loads(text)]
