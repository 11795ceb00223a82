"""Become a command that ends with the process that started it: `tied.py PARENT SIGNAL COMMAND...`.

Without it a `kill -9` of `make` would leave pip writing into a folder that the next run removes.
Runs as a script with nothing else of this project on its path. Elsewhere than on Linux the tie is
left out.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Ask the kernel for the signal, then turn into the command."""
    parent, signal_number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it ended before the request was made
            sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
