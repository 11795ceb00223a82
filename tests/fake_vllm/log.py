"""What it writes into its log."""

from __future__ import annotations

import os
import re
import sys

#: The beginning of a line of vLLM's logger, since 0.32.
_LOGGED = re.compile(r"^\(\w+ pid=\d+\) [A-Z]+ \d\d-\d\d ", re.MULTILINE)


def say(text: str) -> None:
    """One line, or several. VLLM_LOGGING_PREFIX stands before each that is the logger's."""
    prefix = os.environ.get("VLLM_LOGGING_PREFIX", "")
    print(_LOGGED.sub(lambda found: prefix + found[0], text), file=sys.stderr, flush=True)


def error(text: str) -> None:
    """An error of the server's logger; each line of it has the prefix."""
    begin = f"(APIServer pid={os.getpid()}) ERROR 01-01 00:00:00 [serving.py:929] "
    prefix = os.environ.get("VLLM_LOGGING_PREFIX", "") + begin
    lines = re.sub(r"\r?\n", "\r\n" + prefix.replace("\\", r"\\"), text)
    print(prefix + lines, file=sys.stderr, flush=True)


def past_the_logger(text: str) -> None:
    """As it is, without a line end of ours."""
    sys.stderr.flush()
    os.write(2, text.encode(errors="replace"))


def access(method: str, path: str, status: int, reason: str) -> None:
    """A line of uvicorn's access log."""
    line = f'INFO:     127.0.0.1:43210 - "{method} {path} HTTP/1.1" {status} {reason}'
    print(line, file=sys.stderr, flush=True)
