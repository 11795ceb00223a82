"""Prints the version of this interpreter's vLLM, or ends with 1 where it has none.

Each start of a worker waits for it, so that little is imported. `importlib.metadata` is asked where
the folders do not tell: it takes three times as long as Python takes to start, pathlib once more.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Write it to standard output."""
    found = in_folders(sys.path) or _asked()
    if found is None:
        sys.exit(1)
    sys.stdout.write(found + "\n")


def in_folders(path: list[str]) -> str | None:
    """What the metadata of vLLM says in the first folder that has any; None if it does not tell.

    Args:
        path: the folders in which the interpreter looks for modules.
    """
    for folder in path:
        try:
            names = [name for name in os.listdir(folder) if name[:4].lower() == "vllm"]  # noqa: PTH208
        except OSError:  # an archive, or not there
            continue
        kept = [name for name in names if name[4:5] == "-" and name.endswith(".dist-info")]
        others = [name for name in names if name.endswith((".egg-info", ".egg-link"))]
        if kept or others:  # which of several holds is not known here
            one = len(kept) == 1 and not others
            return _said(os.path.join(folder, kept[0])) if one else None  # noqa: PTH118
    return None


def _said(folder: str) -> str | None:
    try:
        with open(os.path.join(folder, "METADATA"), encoding="utf-8") as file:  # noqa: PTH118, PTH123
            for line in file:
                name, _, value = line.partition(":")
                if name == "Version":
                    return value.strip() or None
                if not name.strip():  # the end of the head
                    break
    except (OSError, ValueError):
        pass
    return None


def _asked() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("vllm")
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
