"""`python -m supervisor` whose nodes are as quick as a test wants them.

`python -m tests.quick SECONDS` takes a silence of SECONDS for the end of another node, and speaks
three times within that.
"""

from __future__ import annotations

import sys

from supervisor.__main__ import main
from supervisor.worker.cluster import timing


def hurry(silence: float) -> None:
    """After so many seconds without a word a node is gone."""
    timing.SILENCE = silence
    timing.HOLD = timing.SILENCE / 3
    timing.RETRY = min(timing.RETRY, timing.SILENCE / 6)
    timing.LAST_WORDS_TO_ALL = 2 * timing.SILENCE


if __name__ == "__main__":
    hurry(float(sys.argv.pop(1)))
    sys.exit(main(sys.argv[1:]))
