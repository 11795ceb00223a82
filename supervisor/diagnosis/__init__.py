"""Why an engine failed, from its exit code and its last lines. Pure.

Each cause is one sentence, has a remedy and a short name for programs; `rules` is their table.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..secrets import MASK, masked
from . import kinds, subject, variables
from .rules import RULES, Rule
from .signals import SHELL, SIGNALS

_LINE_MOST = 1000  # characters of a line that are read; vLLM's longest sentences end before
_QUOTE_MOST = 300
_AFTER_MOST = 1500  # characters from a phrase's line on in which its details stand
_PLACES_MOST = 5  # places of one phrase that are tried, the last ones

#: What stands before a message: processes in brackets, then level, time and place in the source.
_PREFIX = re.compile(
    r"(?:[\(\[][A-Za-z][^)\]\n]{0,60}[)\]]:? ?){0,4}"
    r"(?:(?:ERROR|CRITICAL)[ :]{1,6}[\d-]{5,10} [\d:.,]{8,15} (?:\[?[\w./-]{1,80}:\d{1,6}\] ?)?)?"
)
#: vLLM 0.10.2 colours the name of a process, also where no terminal reads it.
_COLOUR = re.compile(r"\x1b\[[\d;]{0,20}m")
#: Lines that are no error, whatever words they hold: some repeat what a user asked.
_HARMLESS = re.compile(
    r"(?:INFO|WARNING|DEBUG)\b|[^\n]{0,300}?\b\w{0,40}Warning: |Route: |\[?[IW]\d{4} "
)
#: An engine that says one of these has been ready: no cause of a failed start counts any more.
_WAS_READY = re.compile(r"INFO:\s{1,9}Application startup complete|INFO [^']{0,80} throughput: ")
#: vLLM's own report of a process of its that ended; the number is negative for a signal.
_ENDED_BY_SIGNAL = re.compile(
    r"(?:Failed core proc\(s\): \{[^}\n]{0,200}?|died unexpectedly \(exit code"
    r"|Worker \S{1,80} pid \d{1,8} died, exit code): -(\d{1,2})\b"
)
_ERROR = re.compile(r"^[^\n]{0,40}?(\b[\w.]{0,120}(?:Error|Exception): [^\n]*)", re.MULTILINE)
#: Said about an error that was told before.
_WRAPPERS = (
    "Engine core initialization failed",
    "EngineDeadError",
    "WorkerProc initialization",
    # Up to 0.10, where the engine's loop is a process of the API server's
    "Engine process failed to start",
    "Engine process (pid ",
    "MQEngineDeadError",
)
#: Said when a process of the engine ended; if it was killed, nothing else is.
_PROCESS_LOST = (
    "EngineDeadError",
    "died unexpectedly",
    "Failed core proc(s): {}",
    "Engine process failed to start",
    "Engine process (pid ",
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What went wrong and what to do.

    `final`: another start would end the same way. `kind` is a short name that stays the same, for
    programs. `shared`: see `rules.Rule`. `told`: by the engine itself, in its lines.
    """

    cause: str
    remedy: str
    final: bool = False
    kind: str = "unknown"
    shared: bool = False
    told: bool = False

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}"


_OUT_OF_MEMORY = Diagnosis(
    "the engine was killed because the machine's or container's memory ran out",
    "give the worker more memory, use a smaller or quantised model, or lower CPU_OFFLOAD_GB and"
    " KV_OFFLOADING_SIZE where they are set",
    kind=kinds.OUT_OF_MEMORY,
)

_LOST = Diagnosis(
    "a process of the engine died without an error message, as a killed process does",
    "most often the machine's or container's memory ran out: give the worker more memory or use a"
    " smaller model",
    kind="process-lost",
)

_SEE_ABOVE = "see the engine's lines above"


def diagnose(
    code: int,
    lines: Sequence[str],
    model: str | None = None,
    *,
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
        lines: the last lines that it printed, oldest first.
        model: the model as it was named, for the sentence.
        out_of_memory: the kernel ended some process of the container because memory ran out.
        we_killed: the supervisor ended it, so that `code` tells nothing.
        was_ready: it had been ready. Its lines may say so, too, unless that was long ago.
        configured: its arguments, and what the variables hold that were made for it.
        secrets: values that are quoted nowhere, whatever stands before them.
        version: vLLM's; a remedy that only some versions know is offered there alone.
    """
    text, says_so = _errors(lines)
    for secret in secrets:
        text = text.replace(secret, MASK)
    was_ready = was_ready or says_so
    for rule in RULES:
        if was_ready and not rule.running:
            continue
        found = _said(rule, text)
        if found is not None and _fits(rule, found[0], configured):
            if out_of_memory and not rule.final:
                return _OUT_OF_MEMORY  # what the others say when one of them was killed
            said = found[0] | variables.beside(found[0], configured, version)
            about = subject.of(said.get("what", ""), text[: found[1]], model, configured)
            said |= {"subject": about.words, "named_by": about.variables}
            return Diagnosis(
                rule.cause_with(said),
                rule.remedy_with(said),
                rule.final,
                rule.kind,
                rule.shared,
                told=True,
            )
    if out_of_memory:
        return _OUT_OF_MEMORY
    errors = _own_errors(text)
    if we_killed and errors:
        return Diagnosis("the engine failed", f"its last error was {errors[-1]}", told=True)
    if we_killed and any(sign in text for sign in _PROCESS_LOST):
        return replace(_LOST, told=True)
    if number := _signal(code, text, bool(errors)):
        return _killed(number, errors)
    if not errors and any(sign in text for sign in _PROCESS_LOST):
        return _LOST
    if code == 0:
        return Diagnosis("the engine ended by itself", _SEE_ABOVE, kind="ended")
    return Diagnosis(
        f"the engine ended with code {code}",
        f"its last error was {errors[-1]}" if errors else _SEE_ABOVE,
    )


def _errors(lines: Sequence[str]) -> tuple[str, bool]:
    """The lines that may tell of an error, without their prefixes; whether it had been ready."""
    kept: list[str] = []
    ready = False
    for whole in lines:
        line = _COLOUR.sub("", whole[:_LINE_MOST])
        found = _PREFIX.match(line)
        line = line[found.end() :] if found else line
        if _WAS_READY.match(line):
            if not ready:
                kept.clear()
            ready = True
        elif not _HARMLESS.match(line):
            kept.append(line)
    return "\n".join(kept), ready


def _said(rule: Rule, text: str) -> tuple[dict[str, str], int] | None:
    """What the rule's details quote, and where its phrase stands; None if it does not fit."""
    for phrase in rule.phrases:
        if phrase not in text:  # much faster than rfind
            continue
        at = len(text)
        for _ in range(_PLACES_MOST):
            if (at := text.rfind(phrase, 0, at)) < 0:
                break
            if rule.details is None:
                return {}, at
            start = text.rfind("\n", 0, at) + 1
            if found := rule.details.search(text[start : start + _AFTER_MOST]):
                quoted = found.groupdict("").items()
                return {name: _quoted(value) for name, value in quoted}, at
    return None


def _fits(rule: Rule, said: Mapping[str, str], configured: Sequence[str]) -> bool:
    return not rule.configured or any(said["why"] in text for text in configured)


def _quoted(value: str) -> str:
    value = masked("", " ".join(value.split()))
    if len(value) > _QUOTE_MOST:
        return value[:_QUOTE_MOST].rpartition(" ")[0].rstrip(" .,;:") + " ..."
    return value.rstrip(" .,;:")


def _signal(code: int, text: str, told: bool) -> int:
    """The number of the signal that ended the engine or a process of it, 0 if none did.

    `told`: there is an error of its own.
    """
    if code < 0:
        return -code
    if code - SHELL in SIGNALS:
        return code - SHELL
    found = _ENDED_BY_SIGNAL.search(text)
    number = int(found[1]) if found else 0
    # Where one process fails, vLLM ends the others so: that is no cause.
    return 0 if told and number in {signal.SIGTERM, signal.SIGKILL} else number


def _killed(number: int, errors: Sequence[str]) -> Diagnosis:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    kind, remedy = SIGNALS.get(number, ("killed", _SEE_ABOVE))
    if number == signal.SIGABRT and errors:
        remedy = f"its last error was {errors[-1]}"
    return Diagnosis(f"the engine was killed by {name}", remedy, kind=kind)


def _own_errors(text: str) -> list[str]:
    """The errors that were told, oldest first, without those that only repeat another one."""
    said = [error.strip() for error in _ERROR.findall(text)]
    own = [error for error in said if not any(wrapper in error for wrapper in _WRAPPERS)]
    # The class without its modules: the sentence is for people.
    return [_quoted(re.sub(r"^(?:\w+\.)+(?=\w+(?:Error|Exception): )", "", one)) for one in own]
