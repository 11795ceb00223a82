"""What each form of input may say."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.errors import InvalidInput
from proxy.request import inputs
from proxy.request.inputs import Native, OpenAI, Route


def test_keys_that_are_not_listed_are_the_engines_save_the_platforms() -> None:
    given = {"prompt": "x", "top_k": 3, "webhook": "https://x", "use_openai_format": True}
    assert inputs.checked(Native, given).others == {"top_k": 3}


@pytest.mark.parametrize("word", ["get", " Get ", "GET"])
def test_a_method_in_any_case(word: str) -> None:
    assert inputs.checked(Route, {"route": "/x", "method": word}).method == "GET"


@pytest.mark.parametrize(
    ("form", "given", "field", "says"),
    [
        (Native, {"prompt": 5}, "prompt", "valid string"),
        (Native, {"prompt": "x", "min_batch_size": -1}, "min_batch_size", "greater than or equal"),
        (Native, {"prompt": "x", "max_batch_size": 10**400}, "max_batch_size", "less than"),
        (
            Native,
            {"prompt": "x", "batch_size_growth_factor": 0.5},
            "batch_size_growth_factor",
            "Input should be 1 or more, or 0 for the default",
        ),
        (
            Native,
            {"prompt": "x", "batch_size_growth_factor": float("nan")},
            "batch_size_growth_factor",
            "finite",
        ),
        (Native, {"messages": [5]}, "messages.0", "valid dictionary"),
        (Native, {"\ud83d": 5}, "input", "valid string"),
        (Route, {"route": "/x", "method": "DELETE" * 1000}, "method", "'GET' or 'POST'"),
        (OpenAI, {"openai_input": []}, "openai_input", "valid dictionary"),
    ],
)
def test_what_does_not_fit_is_named(form: Any, given: Any, field: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        inputs.checked(form, given)
    assert caught.value.param == field
    assert str(caught.value).startswith(f"{field}: ")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [True, "true", "True", "1", 1, "yes", "on"])
def test_true(value: Any) -> None:
    assert inputs.boolean("stream", value) is True


@pytest.mark.parametrize("value", ["please" * 1000, 2, [], {}, 10**400])
def test_neither_true_nor_false(value: Any) -> None:
    with pytest.raises(InvalidInput, match="is neither true nor false") as caught:
        inputs.boolean("stream", value)
    assert caught.value.param == "stream"
    assert len(str(caught.value)) < 200
