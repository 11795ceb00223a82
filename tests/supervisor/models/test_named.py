"""A model that is named by its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.errors import ConfigurationError
from supervisor.models import named


def test_a_model_that_is_no_path_or_is_there(tmp_path: Path) -> None:
    for model in (None, "org/m", str(tmp_path)):
        named.check(model)
    with pytest.raises(ConfigurationError, match="MODEL_NAME=/nowhere/m does not exist"):
        named.check("/nowhere/m")
