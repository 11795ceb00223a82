"""`worker-config.json`, from which RunPod's console makes its form."""

from __future__ import annotations

import json
from typing import Any

from tools import tags
from tools.docs import fields, known
from tools.docs.fields import Field


def text() -> str:
    """`versions`: which settings each vLLM has; `schema`: each of them, as often as they differ."""
    schema: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    for version, catalog in known.catalogs().items():
        versions[version] = {
            "imageName": tags.image(version),
            "minimumCudaVersion": known.CUDA[version],
            "categories": [
                {"title": title, "settings": [_key(field, version, schema) for field in found]}
                for title, found in fields.form(catalog).items()
            ],
        }
    return json.dumps({"versions": versions, "schema": schema}, indent=2) + "\n"


def _key(field: Field, version: str, schema: dict[str, Any]) -> str:
    """The key of `field` in `schema`: its name, with the version where an older one differs."""
    wanted = _entry(field)
    same = [key for key, entry in schema.items() if entry == wanted]
    if same:
        return same[0]
    key = field.name if field.name not in schema else f"{field.name}_{version.replace('.', '_')}"
    schema[key] = wanted
    return key


def _entry(field: Field) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "env_var_name": field.name,
        "value": field.default,
        "title": field.title,
        "description": field.sentence,
        "required": False,
        "type": field.kind,
    }
    if field.options:
        entry["options"] = [
            {"value": option, "label": option or "(the engine's default)"}
            for option in field.options
        ]
    return entry
