"""What is looked at before anything is started."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigurationError


def check_model(model: str | None) -> None:
    """Refuse a path that does not exist before a GPU is paid for.

    Raises:
        ConfigurationError: the path is not there.
    """
    if model is not None and model.startswith("/") and not Path(model).exists():
        raise ConfigurationError(
            f"MODEL_NAME={model} does not exist on this machine; give the path of a model's folder"
            " or the name of a repository"
        )
