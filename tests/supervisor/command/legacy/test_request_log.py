"""Names for the log of requests that are set together: the one that turns it off wins."""

from __future__ import annotations

import pytest

from tests.supervisor.command.legacy.old_names import made
from tests.supervisor.command.test_translate import VERSIONS

OFF = {"--disable-log-requests", "--no-enable-log-requests"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "env",
    [
        {"DISABLE_LOGGING_REQUEST": "false", "DISABLE_LOG_REQUESTS": "true"},
        {"DISABLE_LOGGING_REQUEST": "1", "DISABLE_LOG_REQUESTS": "0"},
    ],
)
def test_off_wins_with_a_warning(version: str, env: dict[str, str]) -> None:
    found = made(version, **env)
    assert OFF & set(found.command)
    assert "--enable-log-requests" not in found.command
    (warning,) = found.findings.warnings
    assert "requests are not logged" in warning.message


@pytest.mark.parametrize("version", ["0.14.1", "0.32.0", "0.33.0"])
def test_it_wins_over_the_name_of_today_too(version: str) -> None:
    found = made(version, ENABLE_LOG_REQUESTS="true", DISABLE_LOG_REQUESTS="1")
    assert OFF & set(found.command)
    assert [warning.env for warning in found.findings.warnings] == ["ENABLE_LOG_REQUESTS"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("texts", [("true", "1"), ("off", "False")])
def test_the_same_in_other_words_is_no_difference(version: str, texts: tuple[str, str]) -> None:
    one, other = texts
    found = made(version, DISABLE_LOG_REQUESTS=one, DISABLE_LOGGING_REQUEST=other)
    assert not found.findings.warnings
    assert {"DISABLE_LOG_REQUESTS", "DISABLE_LOGGING_REQUEST"} <= {
        row.env for row in found.findings.applied
    }


def test_a_wrong_value_is_named_as_ever() -> None:
    (error,) = made("0.32.0", DISABLE_LOG_REQUESTS="maybe").findings.errors
    assert error.message.startswith("DISABLE_LOG_REQUESTS=maybe ")
