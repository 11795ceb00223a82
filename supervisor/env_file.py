"""Files of environment variables, as Docker's `--env-file` reads them."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from .decoding import TEXT_MOST
from .errors import ConfigurationError
from .findings import Findings, Remark

_REFUSES = ", and Docker refuses the file"
_EXPORT = re.compile(r"export\s+[A-Za-z_]\w*")
_YAML = re.compile(r"(-\s+)?[A-Za-z_]\w*:\s.*")


def read(path: Path) -> tuple[dict[str, str], Findings]:
    """The variables in `path`, lines of NAME=VALUE without quoting, and what else is in it.

    Raises:
        ConfigurationError: the file cannot be read, or Docker would refuse lines of it; with each.
    """
    file = f"--env-file {path}"
    try:
        with path.open("rb") as opened:  # a pipe, too: `--env-file <(...)`
            data = opened.read(TEXT_MOST + 1)
    except OSError as reason:
        raise ConfigurationError(f"{file} cannot be read: {reason.strerror}") from None
    if len(data) > TEXT_MOST:
        raise ConfigurationError(f"{file} is larger than {TEXT_MOST >> 20} MiB; name another one")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data:
        raise ConfigurationError(f"{file} is not UTF-8 but probably UTF-16; save it as UTF-8")
    env: dict[str, str] = {}
    lines_of: dict[str, list[str]] = {}
    found: list[Remark] = []
    refused: dict[str, list[str]] = {}
    # A mark that editors on Windows put first.
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        try:
            variable = _variable(line)
        except ValueError as reason:
            refused.setdefault(str(reason), []).append(str(number))
            continue
        if variable is None:
            continue
        name, value = variable
        if value is None:
            found.append(_from_the_caller(name, f"{file}, line {number}"))
            continue
        lines_of.setdefault(name, []).append(str(number))
        env[name] = value
    if refused:
        raise ConfigurationError(
            "\n".join(
                f"{file}, line{'s' if len(lines) > 1 else ''} {', '.join(lines)}: {reason}"
                for reason, lines in refused.items()
            )
        )
    found += [_again(name, file, lines) for name, lines in lines_of.items() if len(lines) > 1]
    return env, Findings.of(*found)


def _from_the_caller(name: str, place: str) -> Remark:
    message = (
        f"{place}: no = stands behind {name}; Docker takes its value from the environment in which"
        " it is called, and nothing is taken here"
    )
    return Remark(name, message, f"write {name}=VALUE")


def _again(name: str, file: str, lines: list[str]) -> Remark:
    message = f"{file} sets {name} {len(lines)} times, in lines {', '.join(lines)}; the last counts"
    return Remark(name, message, "keep one of them")


def _variable(line: bytes) -> tuple[str, str | None] | None:
    """Name and value, None without a =; None for a line without a name.

    Raises:
        ValueError: what is wrong and its remedy. The line is not quoted: it may hold a secret.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("these bytes are not UTF-8; save the file as UTF-8") from None
    name, equals, value = text.lstrip().removesuffix("\r").partition("=")
    if name.startswith("#") or not (name or equals):
        return None
    if _YAML.fullmatch(name):
        raise ValueError(f"`NAME: VALUE` is YAML{_REFUSES}; write NAME=VALUE")
    if _EXPORT.fullmatch(name):
        raise ValueError(f"`export` is for a shell{_REFUSES}; leave it out and write NAME=VALUE")
    if not name:
        raise ValueError(f"no name stands before the ={_REFUSES}; write NAME=VALUE")
    if not equals and any(character.isspace() for character in name):
        raise ValueError(
            f"no = stands between these words{_REFUSES}; write NAME=VALUE, or # before a comment"
        )
    if any(character.isspace() for character in name):
        raise ValueError(f"white space stands before the ={_REFUSES}; write NAME=VALUE without any")
    return name, value if equals else None
