"""The catalogues that come with the package."""

from __future__ import annotations

import pytest

from supervisor.catalog import versions
from supervisor.errors import BadArgument


def test_the_newest_is_first_by_number() -> None:
    assert versions.known()[-1] == "0.6.2"
    assert versions.known()[0] != "0.6.2"
    assert len(versions.known()) >= 6


@pytest.mark.parametrize("version", versions.known())
def test_each_catalogue_is_that_of_its_name(version: str) -> None:
    found = versions.load(version)
    assert found.version.partition("+")[0] == version
    assert found.complete
    assert found.option("--max-model-len") is not None


@pytest.mark.parametrize("version", [known for known in versions.known() if known != "0.6.2"])
def test_each_says_all_that_a_worker_would_read_of_it(version: str) -> None:
    """A file from before the worker read that would check less on a machine without an engine."""
    found = versions.load(version)
    assert "tracing" in found.features
    assert any(option.fields for option in found.options)
    assert any(option.names for option in found.options)
    assert any(option.bounds for option in found.options) or version == "0.10.2", "has none"


@pytest.mark.parametrize("version", ["0.1", "", "../known/vllm-0.6.2", "v0.33.0"])
def test_an_unknown_version_is_answered_with_those_that_are_known(version: str) -> None:
    with pytest.raises(BadArgument) as refused:
        versions.load(version)
    assert refused.value.exit_code == 2
    assert str(refused.value).endswith(", ".join(versions.known()))
