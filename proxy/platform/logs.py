"""How the proxy's processes log: on stdout, a line for each thing, by the name of who says it."""

from __future__ import annotations

import io
import logging
import sys


def configure() -> None:
    """Log so from here on; a process that inherits this already is left as it is."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a job asks may hold half a character, and LOG_CONTENT writes it down.
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
