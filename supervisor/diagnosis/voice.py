"""What the processes of an engine say of their own end, told from what callers make them say. Pure.

An engine that serves repeats what it is sent: a grammar, a schema, a prompt, with line breaks, in
messages of its logger and in lines that a library writes past it. So single lines tell nothing of
an end. What tells of it are few messages, from certain files of vLLM. Of such a message counts how
it begins and, of the traceback in it, the line of the first exception, how that begins.

Who can write a line past the logger can imitate its prefix. So vLLM is given a signature that its
logger puts before each line (VLLM_LOGGING_PREFIX) and that nobody else knows: once a line has
had it, no other line counts. Where none has it (vLLM up to 0.9, a logging configuration of the
user's), the prefix has to do, and where there is no prefix either, the last traceback.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from .lines import WAS_READY, Logged, logged, plain, without_prefix

_MOST_PROCESSES = 128  # whose last prefix is known
_MOST_REPORTS = 32
_MOST_LINES = 1000  # lines of a message in which its first exception is looked for
_BEFORE = 120  # characters before a signature in which vLLM 0.10 to 0.31 names the process
_PROCESS = re.compile(r"\([\w.-]{1,60} pid=\d{1,10}\) ?$")
_TRACEBACK = "Traceback (most recent call last):"
_READY = ("Application startup complete", " throughput: ")

#: The files that report an end, and how their messages begin.
_REPORTS = (
    ("core.py", "EngineCore", r"EngineCore (?:encountered a fatal error\.|hit an exception:)"),
    ("async_llm_engine.py", "", r"Engine background task failed"),
    ("async_llm.py", "", r"AsyncLLM output_handler failed\."),
    ("core_client.py", "", r"Engine core proc \S{1,60} died unexpectedly"),
    ("multiproc_executor.py", "", r"Worker proc \S{1,60} died unexpectedly"),
    ("multiproc_worker_utils.py", "", r"Worker \S{1,80} pid \d{1,8} died, exit code: "),
)
_PATTERNS = {file: (process, re.compile(said)) for file, process, said in _REPORTS}
#: Those of a process that failed by itself; the others say that another one is gone.
_FATAL = {"core.py", "async_llm_engine.py"}
#: An exception that only says that another process has failed.
_DEAD = re.compile(r"(?:\w{1,60}\.){0,12}(?:EngineDeadError\b|RuntimeError: Executor failed)")


@dataclass(slots=True)
class Report:
    """One message about an end.

    `error` is the line of its first exception, from the class on; empty where it has none.
    """

    fatal: bool
    header: str
    error: str = ""
    _lines: int = 0
    _in_traceback: bool = False

    @property
    def own(self) -> bool:
        """Whether a process says why it failed itself."""
        return self.fatal and bool(self.error) and not _DEAD.match(self.error)

    def more(self, message: str) -> None:
        """The message goes on."""
        self._lines += 1
        if self.error or self._lines > _MOST_LINES:
            return
        if not self._in_traceback:
            self._in_traceback = message.startswith(_TRACEBACK)
        elif message and not message[0].isspace():
            self.error = message


class Voice:
    """Follows an engine's output, line by line.

    Args:
        signature: what its logger puts before each line; empty for one that has none.

    Attributes:
        served: it has been ready, by its lines; before that nobody could send it anything.
        signed: its lines have the signature.
    """

    def __init__(self, signature: str = "") -> None:
        self.served = False
        self.signed = False
        self._signature = signature
        self._reports: deque[Report] = deque(maxlen=_MOST_REPORTS)
        self._open: dict[str, tuple[str, Report | None]] = {}  # by process: its last prefix
        self._traceback: Report | None = None  # the last one that stands in no message
        self._prefixed = False

    @classmethod
    def of(cls, lines: Iterable[str]) -> Voice:
        """The voice of one whose lines are known."""
        voice = cls()
        for line in lines:
            voice.hear(line)
        return voice

    @property
    def reports(self) -> tuple[Report, ...]:
        """What its processes said of their end, the first to fail first."""
        if not self._prefixed and self._traceback is not None:
            return (self._traceback,)
        # Whose lines anybody can imitate, the last ones are the likeliest to be true.
        said = tuple(self._reports)
        return said if self.signed else said[::-1]

    def hear(self, line: str) -> None:
        """One more line of its output, without its end."""
        if not self.served and any(sign in line for sign in _READY):
            self._see_whether_ready(line)
        before, found, after = line.partition(self._signature or "\n")  # no line has that
        if found:
            if not self.signed:
                self.signed = True
                self._forget()
            self._prefixed = True
            self._logged(signed(plain(before[-_BEFORE:]), plain(after)))
        elif not self.signed:
            self._unsigned(plain(line))

    def _see_whether_ready(self, line: str) -> None:
        """What was said before has not kept it from becoming so."""
        line = line.replace(self._signature, "") if self._signature else line
        if WAS_READY.match(without_prefix(plain(line))):
            self.served = True
            self._forget()

    def _forget(self) -> None:
        self._reports.clear()
        self._open.clear()
        self._traceback = None

    def _unsigned(self, line: str) -> None:
        found = logged(line)
        if found is not None:
            self._prefixed = True
            self._logged(found)
            return
        message = without_prefix(line)
        if message.startswith(_TRACEBACK):
            self._traceback = Report(True, "")
        if self._traceback is not None:
            self._traceback.more(message)

    def _logged(self, line: Logged | None) -> None:
        if line is None:
            return
        prefix, report = self._open.get(line.process, ("", None))
        if line.prefix == prefix:  # the same message goes on
            if report is not None:
                report.more(line.message)
            return
        if len(self._open) >= _MOST_PROCESSES:
            self._open.clear()
        report = _report(line)
        self._open[line.process] = (line.prefix, report)
        if report is not None:
            self._reports.append(report)


def signed(before: str, after: str) -> Logged | None:
    """The line around a signature, which stands before the process or behind it."""
    found = logged(after)
    process = None if found is None or found.process else _PROCESS.search(before)
    return logged(process[0] + after) if process else found


def _report(line: Logged) -> Report | None:
    """The report that begins with this line."""
    process, pattern = _PATTERNS.get(line.file, ("", None))
    if pattern is None or line.level not in {"ERROR", "CRITICAL"}:
        return None
    if line.process and not line.process.startswith(process):
        return None
    found = pattern.match(line.message)
    if found is None:
        return None
    report = Report(line.file in _FATAL, line.message)
    report.more(line.message[found.end() :].strip())  # 0.8 begins the traceback in the same line
    return report
