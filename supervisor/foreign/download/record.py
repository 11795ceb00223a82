"""What was downloaded into a model's folder, written down beside its files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Record:
    """The record of one download: `{"commit", "files", "bytes", "whole"}` in a hidden file.

    Attributes:
        commit: of the files that are there, all of them; None where they are of none, or not whole.
    """

    def __init__(self, folder: Path, subfolder: str) -> None:
        self._folder = folder
        self._path = folder / f".downloaded-{subfolder.replace('/', '--')}.json"
        known = _read(self._path)
        self._files: set[str] = set(known.get("files", ()))
        whole = known.get("whole") and all((folder / file).is_file() for file in self._files)
        self.commit: str | None = known.get("commit") if whole else None

    def begin(self, commit: str, files: Sequence[str]) -> None:
        """Files of `commit` are about to be touched.

        Raises:
            OSError: it cannot be written down.
        """
        if commit == self.commit:
            return
        self.commit = None  # from here on the folder is of neither commit
        self._files.update(files)
        self._write({"files": sorted(self._files), "whole": False})

    def end(self, done: Mapping[str, Any]) -> None:
        """The files of `done` are there: those of other commits are removed.

        Raises:
            OSError: one cannot be removed, or it cannot be written down.
        """
        for file in self._files - set(done["files"]):
            (self._folder / file).unlink(missing_ok=True)  # vLLM loads all weights that it finds
        self._write({**done, "whole": True})

    def _write(self, known: Mapping[str, Any]) -> None:
        self._path.write_text(json.dumps(known), encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    """What was downloaded before; nothing, or what is no record, is {}."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("files"), list) else {}
