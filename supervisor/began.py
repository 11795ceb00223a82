"""When this program began: `__main__` imports it first.

The process may be much older: `make run` installs what is missing and then becomes the worker.
"""

from __future__ import annotations

import time

_AT = time.monotonic()


def seconds_ago() -> float:
    """For how long this program has been running."""
    return time.monotonic() - _AT
