"""What is told of the end of an engine."""

from __future__ import annotations

from ... import diagnosis
from ...diagnosis import kinds
from ...errors import (
    CommandNotExecutable,
    CommandNotFound,
    ConfigurationError,
    NodeRefused,
    OutOfResources,
    SupervisorError,
)
from .. import lifecycle

#: What cannot be spawned, however often -> the short name of that cause.
_UNSPAWNABLE = {
    ConfigurationError: kinds.CONFIGURATION,
    NodeRefused: kinds.CONFIGURATION,
    CommandNotFound: kinds.COMMAND_NOT_FOUND,
    CommandNotExecutable: kinds.COMMAND_NOT_EXECUTABLE,
}


def not_spawned(reason: SupervisorError) -> lifecycle.Exited:
    """The end of an engine that could not be spawned, or was not for what its settings say."""
    kind = _UNSPAWNABLE.get(type(reason))
    final = kind is not None
    # All workers of an endpoint have the same image and settings, but each node its own number.
    shared = final and not isinstance(reason, NodeRefused)
    wanting = isinstance(reason, OutOfResources)
    return lifecycle.Exited(
        str(reason), kind or kinds.UNKNOWN, final=final, shared=shared, wanting=wanting
    )


def exited(
    cause: diagnosis.Diagnosis,
    code: int,
    *,
    doing: str | None,
    left: bool,
    out_of_memory: bool,
    excused: bool,
) -> lifecycle.Exited:
    """The end of one that was spawned; the arguments are as in `lifecycle.Exited`."""
    return lifecycle.Exited(
        str(cause),
        cause.kind,
        final=cause.final,
        code=code,
        doing=doing,
        left=left,
        out_of_memory=out_of_memory,
        told=cause.told,
        said=cause.said,
        shared=cause.shared,
        excused=excused,
    )
