"""Why an engine failed, from its exit code and what it said of its end. Pure.

Each cause is one sentence, has a remedy and a short name for programs; `rules` is their table. The
sentences are ours: of the engine's words they hold numbers, and names that the configuration knows
or that are of a fixed form. Others than the operator read them. What the engine said itself stands
beside them, for the log alone.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace

from . import lines as of_lines
from .heard import About, Heard
from .kinds import LOST, OUT_OF_MEMORY_DIED, Diagnosis
from .signals import SHELL, SIGNALS
from .voice import Voice

__all__ = ["Diagnosis", "diagnose"]

_SEE_LOG = "the engine's own lines in the worker's log say more"


def diagnose(
    code: int,
    lines: Sequence[str],
    model: str | None = None,
    *,
    voice: Voice | None = None,
    out_of_memory: bool = False,
    was_ready: bool = False,
    we_killed: bool = False,
    configured: Sequence[str] = (),
    secrets: Sequence[str] = (),
    version: str | None = None,
) -> Diagnosis:
    """The cause of an engine's end.

    Args:
        code: its exit code, negative for a signal.
        lines: the last lines that it printed, oldest first. They count where it was never ready.
        model: the model as it was named, for the sentence.
        voice: has followed all of its output; by default it follows `lines`.
        out_of_memory: the kernel ended some process of the container because memory ran out.
        we_killed: the supervisor ended it, so that `code` tells nothing.
        was_ready: it had been ready. Its lines may say so, too.
        configured: its arguments, and what the variables hold that were made for it.
        secrets: values that are quoted nowhere, whatever stands before them.
        version: vLLM's; a remedy that only some versions know is offered there alone.
    """
    about = About(model, configured, version, secrets)
    voice = voice or Voice.of(lines)
    text, says_so = of_lines.of_errors(lines)
    if was_ready or says_so or voice.served:
        heard = Heard.of_end(voice.reports, about)
    else:
        heard = Heard.of_start(text, about)
    if heard.cause is not None:
        # What the others say when one of them was killed
        return OUT_OF_MEMORY_DIED if out_of_memory and not heard.cause.final else heard.cause
    if out_of_memory:
        return OUT_OF_MEMORY_DIED
    return _without_a_cause(code, heard, we_killed)


def _without_a_cause(code: int, heard: Heard, we_killed: bool) -> Diagnosis:
    remedy = f"its last error was of the class {heard.kind}; {_SEE_LOG}" if heard.kind else _SEE_LOG
    if we_killed and heard.error:
        return Diagnosis("the engine failed", remedy, told=True, said=heard.error)
    if we_killed and heard.lost:
        return replace(LOST, told=True)
    if number := _signal(code, heard):
        return _killed(number, remedy if heard.error else "", heard.error)
    if not heard.error and heard.lost:
        return LOST
    if code == 0:
        return Diagnosis("the engine ended by itself", _SEE_LOG, kind="ended", said=heard.error)
    return Diagnosis(f"the engine ended with code {code}", remedy, said=heard.error)


def _signal(code: int, heard: Heard) -> int:
    """The number of the signal that ended the engine or a process of it, 0 if none did."""
    if code < 0:
        return -code
    return code - SHELL if code - SHELL in SIGNALS else heard.signal


def _killed(number: int, last_error: str, said: str) -> Diagnosis:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    kind, remedy = SIGNALS.get(number, ("killed", _SEE_LOG))
    if number == signal.SIGABRT and last_error:
        remedy = last_error
    return Diagnosis(f"the engine was killed by {name}", remedy, kind=kind, said=said)
