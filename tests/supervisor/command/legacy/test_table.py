"""The table of old names: what carries a meaning in which version."""

from __future__ import annotations

import pytest

from supervisor.command.legacy import table
from supervisor.command.legacy.table import MEANINGS, Alias, Environment, Field, Gone, Inverse
from tests.supervisor.command.test_translate import VERSIONS, catalog


def test_no_meaning_stands_behind_one_that_always_holds() -> None:
    """What is gone is gone: nothing behind it would ever be looked at."""
    for meanings in MEANINGS.values():
        assert meanings
        assert not any(isinstance(meaning, Gone) for meaning in meanings[:-1])


def test_every_carrier_is_an_option_of_some_version() -> None:
    flags = {
        meaning.flag
        for meanings in MEANINGS.values()
        for meaning in meanings
        if not isinstance(meaning, Environment | Gone)
    }
    assert {flag for flag in flags if not any(catalog(v).option(flag) for v in VERSIONS)} == set()


@pytest.mark.parametrize(
    ("name", "version", "kind"),
    [
        ("SPECULATIVE_DISABLE_BY_BATCH_SIZE", "0.14.1", Field),
        ("SPECULATIVE_DISABLE_BY_BATCH_SIZE", "0.27.1", Gone),
        ("DISABLE_LOGGING_REQUEST", "0.6.2", Alias),
        ("DISABLE_LOGGING_REQUEST", "0.33.0", Inverse),
        ("TOKENIZER_NAME", "0.6.2", Alias),
        ("VLLM_ATTENTION_BACKEND", "0.14.1", Environment),
        ("VLLM_ATTENTION_BACKEND", "0.27.1", Alias),
        ("VLLM_USE_V1", "0.10.2", Environment),
        ("VLLM_USE_V1", "0.6.2", Gone),
        ("VLLM_USE_V1", "0.32.0", Gone),
    ],
)
def test_the_first_meaning_that_a_version_has_counts(
    name: str, version: str, kind: type[object]
) -> None:
    assert isinstance(table.carrier(name, catalog(version)), kind)


def test_nothing_carries_an_unknown_name() -> None:
    assert table.carrier("UNKNOWN", catalog("0.32.0")) is None


def test_an_option_that_the_engine_does_not_look_at_does_not_have_the_meaning() -> None:
    assert not table.is_an_option("DISABLE_LOG_REQUESTS", catalog("0.10.2"))
    assert table.is_an_option("DISABLE_LOG_REQUESTS", catalog("0.33.0"))


def test_which_old_names_took_a_number() -> None:
    numbers = {name for name in table.names() if table.is_number(name)}
    assert {"ROPE_THETA", "NUM_SPECULATIVE_TOKENS"} <= numbers
    assert not {"ROPE_SCALING", "SPECULATIVE_MODEL", "TOKENIZER_NAME", "SWAP_SPACE"} & numbers
