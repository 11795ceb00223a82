"""Files of environment variables, as Docker's `--env-file` reads them."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from .errors import ConfigurationError

_REFUSES = ", and Docker refuses the file"
_EXPORT = re.compile(r"export\s+[A-Za-z_]\w*")


def read(path: Path) -> dict[str, str]:
    """The variables in `path`: lines of NAME=VALUE without quoting; others are skipped.

    Raises:
        ConfigurationError: the file cannot be read, or Docker would refuse lines of it; with each.
    """
    file = f"--env-file {path}"
    try:
        data = path.read_bytes()
    except OSError as reason:
        raise ConfigurationError(f"{file} cannot be read: {reason.strerror}") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data:
        raise ConfigurationError(f"{file} is not UTF-8 but probably UTF-16; save it as UTF-8")
    env: dict[str, str] = {}
    refused: dict[str, list[str]] = {}
    # A mark that editors on Windows put first.
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        try:
            variable = _variable(line)
        except ValueError as reason:
            refused.setdefault(str(reason), []).append(str(number))
            continue
        if variable is not None:
            env[variable[0]] = variable[1]
    if refused:
        raise ConfigurationError(
            "\n".join(
                f"{file}, line{'s' if len(lines) > 1 else ''} {', '.join(lines)}: {reason}"
                for reason, lines in refused.items()
            )
        )
    return env


def _variable(line: bytes) -> tuple[str, str] | None:
    """Name and value; None for a line without them.

    Raises:
        ValueError: what is wrong and its remedy. The line is not quoted: it may hold a secret.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("these bytes are not UTF-8; save the file as UTF-8") from None
    name, equals, value = text.lstrip().partition("=")
    if not equals or name.startswith("#"):
        return None
    if _EXPORT.fullmatch(name):
        raise ValueError(f"`export` is for a shell{_REFUSES}; leave it out and write NAME=VALUE")
    if not name:
        raise ValueError(f"no name stands before the ={_REFUSES}; write NAME=VALUE")
    if any(character.isspace() for character in name):
        raise ValueError(f"white space stands before the ={_REFUSES}; write NAME=VALUE without any")
    return name, value.removesuffix("\r")
