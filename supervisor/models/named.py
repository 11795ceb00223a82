"""The model's folder, where MODEL_NAME is a path."""

from __future__ import annotations

from pathlib import Path

from .. import hanging
from ..errors import ConfigurationError, MachineRefused, SupervisorError
from ..files import exists, fault
from . import unseen


def check(model: str | None) -> None:
    """Refuse a path that does not exist or cannot be seen before a GPU is paid for.

    Raises:
        ConfigurationError: the path is not there.
        MachineRefused: its volume is dead.
    """
    if (found := refusal(model)) is not None:
        kind, message, remedy = found
        raise kind(f"{message}; {remedy}")


def refusal(model: str | None) -> tuple[type[SupervisorError], str, str] | None:
    """What `check` raises, its message and the remedy; None where it refuses nothing."""
    if model is None or not model.startswith("/"):
        return None
    try:
        is_there, why = hanging.look(lambda: (exists(model), fault(Path(model))), [model])
    except hanging.HangsError:  # that has been told
        return None
    if why is not None:
        said, remedy = unseen.words(Path(model), why)
        refused = MachineRefused if unseen.is_of_machine(why) else ConfigurationError
        return refused, f"MODEL_NAME={model} cannot be used: {said}", remedy
    if not is_there:
        remedy = "give the path of a model's folder or the name of a repository"
        return ConfigurationError, f"MODEL_NAME={model} does not exist on this machine", remedy
    return None
