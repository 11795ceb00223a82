"""Files of environment variables, as Docker's `--env-file` reads them."""

from __future__ import annotations

from pathlib import Path

from .errors import ConfigurationError


def read(path: Path) -> dict[str, str]:
    """The variables in `path`: lines of NAME=VALUE without quoting; others are skipped.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError as reason:
        raise ConfigurationError(f"--env-file {path} cannot be read: {reason.strerror}") from None
    env = {}
    for line in lines:
        name, equals, value = line.lstrip().partition("=")
        if equals and not name.startswith("#"):
            env[name.strip()] = value.removesuffix("\r")
    return env
