"""Fields of options that take an object."""

from __future__ import annotations

import pytest

from tests.supervisor.command.checks.refusals import errors, made, remedies, warnings


@pytest.mark.parametrize("version", ["0.10.2", "0.14.1", "0.27.1", "0.32.0", "0.33.0"])
def test_a_backend_with_an_option_behind_a_colon(version: str) -> None:
    (message,) = errors(version, GUIDED_DECODING_BACKEND="xgrammar:no-fallback")
    assert message.startswith("GUIDED_DECODING_BACKEND=xgrammar:no-fallback is not ")
    assert errors(version, GUIDED_DECODING_BACKEND="xgrammar") == []


def test_the_one_of_several_variables_that_is_wrong_is_named() -> None:
    env = {"SPECULATIVE_MODEL": "[ngram]", "NGRAM_PROMPT_LOOKUP_MAX": "4"}
    assert errors(**env, NUM_SPECULATIVE_TOKENS="3") == []
    (message,) = errors(**env, NUM_SPECULATIVE_TOKENS="-3")
    assert message == (
        "NUM_SPECULATIVE_TOKENS=-3 is out of range: num_speculative_tokens has to be more than 0"
    )


def test_a_field_that_is_not_there() -> None:
    (message,) = errors(STRUCTURED_OUTPUTS_CONFIG='{"backends":"xgrammar"}')
    assert message.startswith(
        'STRUCTURED_OUTPUTS_CONFIG={"backends":"xgrammar"}: backends is not a field of it; its'
        " fields are backend, "
    )
    assert remedies(STRUCTURED_OUTPUTS_CONFIG="backends=xgrammar") == ["did you mean backend?"]


def test_words_are_looked_at_as_what_they_become() -> None:
    found = made(SPECULATIVE_CONFIG="method=ngram,num-speculative-tokens=3")
    assert found.findings.errors == ()
    assert '--speculative-config={"method":"ngram","num-speculative-tokens":3}' in found.command
    assert len(errors(SPECULATIVE_CONFIG="method=ngram num_speculative_tokens=0")) == 1


@pytest.mark.parametrize("version", ["0.10.2", "0.14.1"])
def test_of_a_catalogue_that_does_not_know_its_fields_nothing_is_said(version: str) -> None:
    assert errors(version, EPLB_CONFIG='{"zzz":0}') == []


@pytest.mark.parametrize("version", ["0.10.2", "0.14.1", "0.27.1", "0.32.0", "0.33.0"])
def test_guessing_from_the_prompt_needs_a_number_of_tokens(version: str) -> None:
    for env in (
        {"SPECULATIVE_METHOD": "ngram"},
        {"SPECULATIVE_MODEL": "[ngram]", "NGRAM_PROMPT_LOOKUP_MAX": "4"},
        {"SPECULATIVE_CONFIG": '{"method": "ngram", "prompt_lookup_max": 4}'},
    ):
        (message,) = errors(version, **env)
        assert "ngram" in message
        assert message.endswith(" needs the number of tokens that are guessed at once")
        assert remedies(version, **env) == ["set NUM_SPECULATIVE_TOKENS, to 3 for example"]
        assert errors(version, **env, NUM_SPECULATIVE_TOKENS="3") == []
    for method in ("eagle3", *(() if version == "0.10.2" else ("mtp", "suffix"))):
        assert errors(version, SPECULATIVE_METHOD=method) == []


def test_a_key_that_stands_twice_is_a_warning() -> None:
    """JSON takes the last one without a word."""
    text = '{"a":1,"b":{"c":1,"c":2}}'
    for name in ("HF_OVERRIDES", "LIMIT_MM_PER_PROMPT"):
        assert errors(**{name: text}) == []
        assert warnings(**{name: text}) == [
            f"{name}={text}: c stands in it more than once, and the last one counts"
        ]
    text = '{"max_cudagraph_capture_size":8,"max_cudagraph_capture_size":9}'
    (message,) = warnings(COMPILATION_CONFIG=text)
    assert ": max_cudagraph_capture_size stands in it more than once" in message


@pytest.mark.parametrize("name", ["SPECULATIVE_CONFIG", "LIMIT_MM_PER_PROMPT"])
@pytest.mark.parametrize("text", ["[1]", "[]", "7", '"a"'])
def test_what_takes_an_object_takes_nothing_else(name: str, text: str) -> None:
    (message,) = errors(**{name: text})
    assert message == f"{name}={text} is not a JSON object"
