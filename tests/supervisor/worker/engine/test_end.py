"""What is told of an engine's end."""

from __future__ import annotations

import pytest

from supervisor.diagnosis import diagnose
from supervisor.errors import (
    CommandNotExecutable,
    CommandNotFound,
    ConfigurationError,
    MachineRefused,
    NodeRefused,
    OutOfResources,
    SupervisorError,
)
from supervisor.worker.engine.end import exited, not_spawned
from supervisor.worker.lifecycle import Exited


@pytest.mark.parametrize(
    ("reason", "kind", "final"),
    [
        (CommandNotFound("no such file"), "command-not-found", True),
        (CommandNotExecutable("not executable"), "command-not-executable", True),
        (ConfigurationError("no such setting"), "configuration", True),
        (MachineRefused("the port is taken"), "unknown", False),
        (SupervisorError("no memory"), "unknown", False),
    ],
)
def test_what_could_not_be_spawned_has_ended(
    reason: SupervisorError, kind: str, final: bool
) -> None:
    """What may be had the next time is no final end; what may not be had all workers share."""
    assert not_spawned(reason) == Exited(str(reason), kind, final=final, shared=final)


def test_what_cannot_be_spawned_on_one_node_alone_is_shared_by_nobody() -> None:
    reason = NodeRefused("PRIMARY_ADDR leads elsewhere")
    assert not_spawned(reason) == Exited(str(reason), "configuration", final=True)


def test_want_of_a_descriptor_is_no_fault_of_what_could_not_be_spawned() -> None:
    reason = OutOfResources("Too many open files")
    assert not_spawned(reason) == Exited(str(reason), wanting=True)


def test_the_end_of_a_process_has_what_was_diagnosed() -> None:
    cause = diagnose(1, ["vllm serve: error: unrecognized arguments: --x"])
    assert "--x" not in str(cause)
    facts = {"left": False, "out_of_memory": False, "excused": True}
    told = exited(cause, 1, doing="importing", **facts)
    assert (told.kind, told.final, told.shared, told.told) == ("bad-option", True, True, True)
    assert (told.code, told.doing, told.excused) == (1, "importing", True)
    assert (told.cause, told.said) == (str(cause), "unrecognized arguments: --x")
