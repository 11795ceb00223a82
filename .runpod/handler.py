"""Starts the worker from a checkout: the Hub looks for a file of this name.

The image does not need it. Its entry point is entrypoint.sh, which this becomes.
"""

import os
import sys
from pathlib import Path

ENTRYPOINT = Path(__file__).resolve().parent.parent / "entrypoint.sh"

if __name__ == "__main__":
    os.execv(ENTRYPOINT, [str(ENTRYPOINT), *sys.argv[1:]])
