"""Words that stand for JSON."""

from __future__ import annotations

import pytest

from supervisor.command.values import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image=4", {"image": 4}),
        ("image=4,video=1", {"image": 4, "video": 1}),
        ("image = 4  video=1,", {"image": 4, "video": 1}),
        ("enable_thinking=False", {"enable_thinking": False}),
        ("a=true b=null c=None d=0.5", {"a": True, "b": None, "c": None, "d": 0.5}),
        ("method=ngram model=org/draft", {"method": "ngram", "model": "org/draft"}),
    ],
)
def test_an_object(text: str, expected: dict[str, object]) -> None:
    assert words.an_object(text) == expected


@pytest.mark.parametrize(
    "text", ["", "image", "image=", "=4", "a=1 b", "cuda:1=cpu", "a=b=c", "4=1"]
)
def test_other_words(text: str) -> None:
    assert words.an_object(text) is None


@pytest.mark.parametrize(
    ("text", "torn"),
    [
        ("{a:", True),
        ("{a:b}", True),
        ('{"a":', True),
        ("[a,", True),
        ("{}", False),
        ("[1,2]", False),
        ('{"a":1}', False),
        ('{"a":b}', False),
        ("a", False),
        ("5}", False),
    ],
)
def test_json_that_a_shell_has_torn(text: str, *, torn: bool) -> None:
    assert words.is_torn(text) is torn
