"""`.runpod/hub.json` and `.runpod/tests.json`: the listing on RunPod's Hub, and what it tries."""

from __future__ import annotations

import json
from typing import Any

from tools.docs import fields, known, pools, recipes
from tools.docs.fields import Field
from tools.docs.recipes import Recipe

#: In the open; everything else is behind "advanced".
_FIRST = {"MODEL_NAME", "HF_TOKEN", "MAX_MODEL_LEN", "QUANTIZATION", "TENSOR_PARALLEL_SIZE"}
_TYPES = {"text": "string", "select": "string", "number": "number", "toggle": "boolean"}
_TEST_MODEL = "Qwen/Qwen3-0.6B"
_TEST_TIMEOUT = 600_000  # ms: the image's start, the model's download, the answer


def listing() -> str:
    """The listing, for the version that the image is built with by default."""
    found = fields.form(known.catalogs()[known.DEFAULT])
    every = [field for category in found.values() for field in category]
    kinds = {field.name: field.kind for field in every}
    return _json(
        {
            "title": "vLLM Supervisor",
            "description": "The stock vLLM OpenAI server with every option as a setting, health"
            " checks, restarts and smooth streams",
            "type": "serverless",
            "category": "language",
            "config": {
                "runsOn": "GPU",
                "containerDiskInGb": pools.disk(),
                "gpuCount": 1,
                "gpuIds": ",".join(pools.OFFERED),
                "allowedCudaVersions": _cuda(),
                "presets": [
                    {"name": recipe.title, "defaults": _defaults(recipe, kinds)}
                    for recipe in recipes.every()
                    if recipe.preset
                ],
                "env": [_env(field) for field in every],
            },
        }
    )


def tests() -> str:
    """One job of each form."""
    chat = {"model": _TEST_MODEL, "messages": [{"role": "user", "content": "Say hello."}]}
    jobs: dict[str, dict[str, Any]] = {
        "native_prompt": {"prompt": "Say hello.", "sampling_params": {"max_tokens": 16}},
        "openai_chat": {
            "openai_route": "/v1/chat/completions",
            "openai_input": {**chat, "max_tokens": 16},
        },
        "openai_models": {"openai_route": "/v1/models"},
        "any_route": {"route": "/tokenize", "method": "POST", "body": chat},
    }
    return _json(
        {
            "tests": [
                {"name": name, "input": job, "timeout": _TEST_TIMEOUT} for name, job in jobs.items()
            ],
            "config": {
                "gpuTypeId": "NVIDIA GeForce RTX 4090",
                "gpuCount": 1,
                "env": [
                    {"key": "MODEL_NAME", "value": _TEST_MODEL},
                    {"key": "MAX_MODEL_LEN", "value": "4096"},
                    {"key": "ENFORCE_EAGER", "value": "true"},
                ],
                "allowedCudaVersions": _cuda(),
            },
        }
    )


def _cuda() -> list[str]:
    return [known.CUDA[known.DEFAULT]]


def _defaults(recipe: Recipe, kinds: dict[str, fields.Shape]) -> dict[str, Any]:
    """A preset's values, each as its field has it."""
    return {
        name: json.loads(text) if kinds[name] in {"number", "toggle"} else text
        for name, text in recipe.env.items()
    }


def _env(field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": field.title,
        "type": _TYPES[field.kind],
        "description": field.sentence,
    }
    if field.default != "":
        shown["default"] = field.default
    if field.options:
        shown["options"] = [
            {"label": option or "(the engine's default)", "value": option}
            for option in field.options
        ]
    if field.kind == "toggle":  # as every part of the worker reads and writes them
        shown |= {"trueValue": "true", "falseValue": "false"}
    if field.name == "MODEL_NAME":
        shown |= {"type": "huggingface", "required": True}
    if field.name not in _FIRST:
        shown["advanced"] = True
    return {"key": field.name, "input": shown}


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2) + "\n"
