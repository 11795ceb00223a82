"""What an engine's lines say of its end, with a rule for it where one is known. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..secrets import MASK, masked
from . import known, subject, variables
from .kinds import Diagnosis
from .rules import RULES, Rule
from .voice import Report

_QUOTE_MOST = 300
_AFTER_MOST = 1500  # characters from a phrase's line on in which its details stand
_PLACES_MOST = 5  # places of one phrase that are tried, the last ones

#: vLLM's own report of a process of its that ended; the number is negative for a signal.
_ENDED_BY_SIGNAL = re.compile(
    r"(?:Failed core proc\(s\): \{[^}\n]{0,200}?|died unexpectedly \(exit code"
    r"|Worker \S{1,80} pid \d{1,8} died, exit code): -(\d{1,2})\b"
)
_ERROR = re.compile(r"^[^\n]{0,40}?(\b[\w.]{0,120}(?:Error|Exception): [^\n]*)", re.MULTILINE)
#: The class without its modules: the sentence is for people.
_CLASS = re.compile(r"(?:\w{1,60}\.){0,12}(\w{1,60})(?=[:(]|$)")
#: What EngineCore says of an exception in one of its workers.
_OF_A_WORKER = re.compile(r"Worker failed with error '")
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
class About:
    """What the sentences may name."""

    model: str | None
    configured: Sequence[str]
    version: str | None
    secrets: Sequence[str]

    def quoted(self, words: str) -> str:
        """The engine's words for the log: on one line, without secrets."""
        words = masked("", " ".join(words.split()), self.secrets)
        if len(words) > _QUOTE_MOST:
            return words[:_QUOTE_MOST].rpartition(" ")[0].rstrip(" .,;:") + " ..."
        return words.rstrip(" .,;:")


@dataclass(frozen=True, slots=True)
class Heard:
    """What an engine's lines say: a `cause` that is known, or its last `error` in its own words;
    `kind` is the class of that. `signal` ended a process of it, `lost`: one is gone.
    """

    cause: Diagnosis | None = None
    error: str = ""
    kind: str = ""
    signal: int = 0
    lost: bool = False

    @classmethod
    def of_start(cls, text: str, about: About) -> Heard:
        """Of one that was never ready, by its last lines: nobody could send it anything."""
        for secret in about.secrets:
            text = text.replace(secret, MASK)
        for rule in RULES:
            found = _said(rule, text)
            if found is not None and _fits(rule, found[0], about.configured):
                return cls(_told(rule, found[0], text[: found[1]], about))
        errors = [error for error in _ERROR.findall(text) if not _only_repeats(error)]
        error = errors[-1] if errors else ""
        return cls(
            None,
            about.quoted(_short(error)),
            _class(error),
            _signal_in(text, bool(errors)),
            any(sign in text for sign in _PROCESS_LOST),
        )

    @classmethod
    def of_end(cls, reports: Sequence[Report], about: About) -> Heard:
        """Of one that had been ready, by what its processes reported of their end."""
        own = next((report for report in reports if report.own), None)
        error = "" if own is None else _OF_A_WORKER.sub("", _short(own.error), count=1)
        rule = next((one for one in RULES if one.ends(error)), None) if error else None
        if rule is not None:
            found = rule.details.search(error) if rule.details else None
            said = _details(found) if found else {}
            return cls(_told(rule, {"why": error} | said, "", about))
        told = "\n".join(report.header for report in reports if not report.fatal)
        return cls(
            None, about.quoted(error), _class(error), _signal_in(told, bool(error)), bool(reports)
        )


def _told(rule: Rule, said: Mapping[str, str], before: str, about: About) -> Diagnosis:
    """The rule's sentences with what may be told of `said`."""
    safe = known.names(said, about.configured)
    of_what = subject.of(said.get("what", ""), before, about.model, about.configured)
    safe |= variables.beside(said, about.configured, about.version)
    safe |= {"subject": of_what.words, "named_by": of_what.variables}
    return Diagnosis(
        rule.cause_with(safe),
        rule.remedy_with(safe),
        rule.final,
        rule.kind,
        rule.shared,
        told=True,
        said=about.quoted(said.get("why", "") or said.get("what", "")),
    )


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
                return _details(found), at
    return None


def _details(found: re.Match[str]) -> dict[str, str]:
    return {name: value.rstrip(" .,;:") for name, value in found.groupdict("").items()}


def _fits(rule: Rule, said: Mapping[str, str], configured: Sequence[str]) -> bool:
    return not rule.configured or any(said["path"] in text for text in configured)


def _signal_in(text: str, told: bool) -> int:
    """The signal that ended a process, by vLLM's own words; `told`: there is an error beside it."""
    found = _ENDED_BY_SIGNAL.search(text)
    number = int(found[1]) if found else 0
    # Where one process fails, vLLM ends the others so: that is no cause.
    return 0 if told and number in {signal.SIGTERM, signal.SIGKILL} else number


def _only_repeats(error: str) -> bool:
    return any(wrapper in error for wrapper in _WRAPPERS)


def _short(error: str) -> str:
    """An error without the modules of its class."""
    found = _CLASS.match(error.strip())
    return error.strip()[found.start(1) :] if found else error.strip()


def _class(error: str) -> str:
    found = _CLASS.match(error.strip())
    return found[1] if found and re.search(r"(?:Error|Exception)$", found[1]) else ""
