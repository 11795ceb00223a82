"""What a start on this machine would refuse, whatever its engine is: for `explain` and `doctor`.

Ports that are taken are none of it: `explain` may be asked beside the worker that has them.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..command.plan import Plan
from ..errors import SupervisorError
from ..findings import Fault, Findings
from ..machine import ports
from ..models import named
from ..records import replace
from ..settings import table
from ..settings.read import Settings


def checked(made: Plan) -> Plan:
    """`made`, with what is refused of it beside what is said already."""
    found = Findings.of(*_model(made.model), *_addresses(made.settings))
    return replace(made, findings=made.findings + found.beside(made.findings))


def _model(model: str | None) -> Iterator[Fault]:
    try:
        named.check(model)
    except SupervisorError as reason:
        message, _, remedy = str(reason).partition("; ")
        yield Fault(table.MODEL_NAME.name, model or "", message, remedy or None)


def _addresses(settings: Settings) -> Iterator[Fault]:
    for host in dict.fromkeys(host for _, host, _ in settings.listening):
        if not ports.is_ours(host):
            own = host == settings.control_host
            name = table.CONTROL_HOST.name if own else table.VLLM_EXTRA_ARGS.name
            shown = host if own else f"--host={host}"
            message = f"{shown} in {name} is not an address of this machine"
            message = f"{name}={host} is not an address of this machine" if own else message
            yield Fault(name, shown, message, "give one that it has")
