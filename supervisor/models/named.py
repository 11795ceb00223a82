"""The model's folder, where MODEL_NAME is a path."""

from __future__ import annotations

from pathlib import Path

from .. import hanging
from ..errors import ConfigurationError, MachineRefused
from ..files import exists, fault
from . import unseen


def check(model: str | None) -> None:
    """Refuse a path that does not exist or cannot be seen before a GPU is paid for.

    Raises:
        ConfigurationError: the path is not there.
        MachineRefused: its volume is dead.
    """
    if model is None or not model.startswith("/"):
        return
    try:
        is_there, why = hanging.look(lambda: (exists(model), fault(Path(model))), [model])
    except hanging.HangsError:  # that has been told
        return
    if why is not None:
        said, remedy = unseen.words(Path(model), why)
        refused = MachineRefused if unseen.is_of_machine(why) else ConfigurationError
        raise refused(f"MODEL_NAME={model} cannot be used: {said}; {remedy}")
    if not is_there:
        raise ConfigurationError(
            f"MODEL_NAME={model} does not exist on this machine; give the path of a model's folder"
            " or the name of a repository"
        )
