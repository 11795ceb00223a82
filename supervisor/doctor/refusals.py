"""What a start on this machine would refuse, whatever its engine is: for `explain` and `doctor`.

Ports that are taken are none of it: `explain` may be asked beside the worker that has them.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..command.plan import Plan
from ..findings import Fault, Findings
from ..machine import ports
from ..models import named
from ..records import replace
from ..settings import table

_NOT_OURS, _REMEDY = "is not an address of this machine", "give one that it has"


def checked(made: Plan) -> Plan:
    """`made`, with what is refused of it beside what is said already."""
    found = Findings.of(*_model(made.model), *_addresses(made))
    return replace(made, findings=made.findings + found.beside(made.findings))


def _model(model: str | None) -> Iterator[Fault]:
    if (found := named.refusal(model)) is not None:
        _kind, message, remedy = found
        yield Fault(table.MODEL_NAME.name, model or "", message, remedy)


def _addresses(made: Plan) -> Iterator[Fault]:
    settings, host = made.settings, made.options.last("--host")
    if host is not None and not ports.is_ours(settings.engine_host):
        name, shown, sentence = made.speakers.said(host, settings.engine_host, _NOT_OURS)
        yield Fault(name, shown, sentence, _REMEDY)
    if not ports.is_ours(own := settings.control_host):
        name = table.CONTROL_HOST.name
        yield Fault(name, own, f"{name}={own} {_NOT_OURS}", _REMEDY)
