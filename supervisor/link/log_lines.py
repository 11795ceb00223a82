"""What a line of the log looks like, ours and the proxy's: text, or one JSON object. Pure.

An object has ALWAYS, and what is known of a job (FIELDS). What is written into it from outside is a
string's content, whatever it holds: nothing of it can become a field, nor a line.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

#: What each object has: when (RFC 3339), as `logging` names it, who says it, and what.
ALWAYS = frozenset({"ts", "level", "source", "message"})
#: What a record may carry of a job (`extra=`), by the names that an object has for it: texts,
#: an HTTP status, a number of tokens, and seconds.
FIELDS = (
    *("job", "route", "status", "error_kind", "tokens"),
    *("wait_s", "first_token_s", "seconds"),
)
#: Characters of a message in an object; what is longer is cut.
MOST = 64 * 1024
_FIELD_MOST = 1000  # the same of any other text in it
#: Bytes of an object, more than any has: seven for a character (half a one, escaped twice).
LINE_MOST = 8 * MOST

_encoder = json.JSONEncoder(ensure_ascii=False)
#: Where readers beside JSON's own end a line, or what moves a terminal's cursor.
_ENDS = re.compile(r"[\x7f-\x9f\u2028\u2029]")


class Lines(logging.Formatter):
    """Makes a record lines of text, each with its time, or one object with all of it.

    Args:
        as_json: which of them.
        mask: hides secrets in a text.
        before: what stands before an object, for who reads it.
    """

    def __init__(
        self, *, as_json: bool, mask: Callable[[str], str] = str, before: str = ""
    ) -> None:
        super().__init__("%(message)s")
        self._as_json = as_json
        self._mask = mask
        self._before = before

    def format(self, record: logging.LogRecord) -> str:
        """The record with its traceback, where it has one."""
        text = self._mask(super().format(record))
        if not self._as_json:
            begin = f"{stamp(record.created, 'seconds')} {record.levelname} {record.name}: "
            return "\n".join(begin + line for line in text.split("\n"))
        of_job = {name: getattr(record, name, None) for name in FIELDS}
        known = {name: value for name, value in of_job.items() if value is not None}
        return self._before + as_object(
            record.created, record.levelname, record.name, text, masked_fields(known, self._mask)
        )


def stamp(seconds: float, precision: str = "milliseconds") -> str:
    """A Unix time as date and time with its zone (RFC 3339)."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec=precision)


def as_object(
    seconds: float, level: str, source: str, message: str, more: Mapping[str, Any] | None = None
) -> str:
    """One line of JSON.

    Args:
        seconds: when, in Unix time.
        level: as `logging` names it.
        source: who says it.
        message: what, on any number of lines.
        more: further fields.
    """
    head = {"ts": stamp(seconds), "level": level, "source": cut(source, _FIELD_MOST)}
    head["message"] = cut(message)
    return encoded({**head, **(more or {})})


def encoded(fields: Mapping[str, Any]) -> str:
    """JSON on one line, which every reader takes for one.

    Half a character stands in it as an escape, and so does what ends a line for some.
    """
    text = _encoder.encode(fields)
    text = _ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text.encode("utf-8", "backslashreplace").decode()


def cut(text: str, most: int = MOST) -> str:
    """As much of `text` as one line holds, as text that can be encoded."""
    if len(text) > most:
        text = f"{text[:most]}... ({len(text) - most} characters left out)"
    return text.encode("utf-8", "backslashreplace").decode()


def masked_fields(fields: Mapping[str, Any], mask: Callable[[str], str]) -> dict[str, Any]:
    """`fields` with their texts masked."""
    return {
        name: cut(mask(value), MOST if name == "message" else _FIELD_MOST)
        if isinstance(value, str)
        else value
        for name, value in fields.items()
    }
