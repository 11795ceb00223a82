"""What can go wrong while an environment is made, and how the user hears of it.

SetupError           one sentence that says what is wrong and what to do
└── PackageMissing   no configured index offers a file that fits
"""

import errno
import sys
from collections.abc import Callable


class SetupError(Exception):
    """Its text is one sentence for the user, with the remedy in it."""


class PackageMissing(SetupError):
    """No configured index offers the package for this Python and machine."""


def reported(command: Callable[[], int]) -> int:
    """Run `command`; return its exit code, or after one line 1 (an error) or 130 (Ctrl-C)."""
    try:
        return command()
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted: the same command goes on from here.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"error: {sentence(error)}", file=sys.stderr)
    return 1


def sentence(error: OSError) -> str:
    """Say what the operating system refused, for which file, and what helps."""
    where = error.filename or "the cache folder"
    if error.errno == errno.ENOSPC:
        return f"No space is left for {where}: free some, or set XDG_CACHE_HOME to a larger disk."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where} cannot be written: mend its owner, or set XDG_CACHE_HOME elsewhere."
    return f"{where}: {error.strerror or error}."
