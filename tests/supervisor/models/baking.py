"""A model as `bake` leaves it."""

from __future__ import annotations

import json
from pathlib import Path


def baked(folder: Path, **more: object) -> Path:
    place = folder / "org--name"
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    model = {"repository": "org/name", "revision": None, "commit": "c1", "folder": str(place)}
    (folder / "baked.json").write_text(json.dumps({"schema": 1, "model": model, **more}))
    return place
