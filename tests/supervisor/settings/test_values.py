"""Values by their rows, and one sentence for each that is wrong."""

from __future__ import annotations

import pytest

from supervisor.settings import parsers, table
from supervisor.settings.table import Reader, Setting
from supervisor.settings.values import Values, take

KEY = Setting("SOME_TOKEN", parsers.count, None, "A number that is secret.", Reader.PROXY)


def test_what_is_set_counts_and_the_rest_has_its_default() -> None:
    values, faults = take({"DRAIN_TIMEOUT": " 9 ", "MAX_RESTARTS": " "}, table.TABLE)
    assert values[table.DRAIN_TIMEOUT] == 9.0
    assert values[table.MAX_RESTARTS] == table.MAX_RESTARTS.default
    assert faults == ()


def test_what_is_wrong_is_named_all_together_and_has_its_default() -> None:
    env = {"DRAIN_TIMEOUT": "soon", "MAX_RESTARTS": "-1", "MAX_CONCURRENCY": "7"}
    values, faults = take(env, table.TABLE)
    assert [fault.message for fault in faults] == [
        "DRAIN_TIMEOUT=soon is not a number of seconds, 0 or more",
        "MAX_RESTARTS=-1 is not a whole number of 0 or more",
    ]
    assert values[table.DRAIN_TIMEOUT] == table.DRAIN_TIMEOUT.default
    assert values[table.MAX_CONCURRENCY] == 7


def test_only_the_rows_that_are_asked_for_are_read() -> None:
    values, faults = take({"MAX_RESTARTS": "x", "DRAIN_TIMEOUT": "5"}, [table.DRAIN_TIMEOUT])
    assert values[table.DRAIN_TIMEOUT] == 5
    assert faults == ()


@pytest.mark.parametrize("written", ["60", "6e1", ""])
def test_a_default_that_is_set_makes_no_difference(written: str) -> None:
    values, _ = take({"DRAIN_TIMEOUT": written}, table.TABLE)
    assert values == Values()


def test_a_secret_is_shown_nowhere() -> None:
    """Not in a fault, nor where somebody prints what was read."""
    _, (fault,) = take({"SOME_TOKEN": "hunter2"}, [KEY])
    assert "hunter2" not in str(fault)
    assert fault.message.startswith("SOME_TOKEN=***")
    values, _ = take({"SOME_TOKEN": "4711"}, [KEY])
    assert values[KEY] == 4711
    assert "4711" not in repr(values)


def test_the_name_of_older_workers_counts_where_todays_is_not_set() -> None:
    values, _ = take({"MIN_BATCH_SIZE": "4", "BATCH_SIZE_GROWTH_FACTOR": "2"}, table.TABLE)
    assert values[table.DEFAULT_MIN_BATCH_SIZE] == 4
    assert values[table.DEFAULT_BATCH_SIZE_GROWTH_FACTOR] == 2.0
    both, _ = take({"MIN_BATCH_SIZE": "4", "DEFAULT_MIN_BATCH_SIZE": "5"}, table.TABLE)
    assert both[table.DEFAULT_MIN_BATCH_SIZE] == 5
    _, (fault,) = take({"MIN_BATCH_SIZE": "none", "BATCH_SIZE_GROWTH_FACTOR": "0"}, table.TABLE)
    assert fault.message.startswith("BATCH_SIZE_GROWTH_FACTOR=0 is ")


@pytest.mark.parametrize("text", ["None", "none", " NONE "])
def test_none_is_not_set(text: str) -> None:
    values, faults = take(dict.fromkeys((row.name for row in table.TABLE), text), table.TABLE)
    assert (values, faults) == (Values(), ())
