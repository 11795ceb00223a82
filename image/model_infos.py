"""Run by the engine's interpreter while an image is built: `python -I model_infos.py FOLDER`.

Lets vLLM look at the class of each model that it knows, and keeps what it noted down. A start looks
at one of them, by a process of its own that imports all of vLLM once more, where it does not find
that note; it believes one as long as the model's code is the same.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

_REGISTRY = "vllm.model_executor.models.registry"
#: The others (`vllm.models.`) take another class for each platform, and a build has no GPU.
_FOR_ALL_PLATFORMS = "vllm.model_executor.models."


def main(folder: Path) -> None:
    """Fill `folder`; a model that cannot be looked at here is left to the start."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(HOME=home, VLLM_CACHE_ROOT=home)
        looked, failed = _look()
        notes = list(Path(home, "modelinfos").glob("*.json"))
        folder.mkdir(parents=True, exist_ok=True)
        for note in notes:
            shutil.copyfile(note, folder / note.name)
    print(f"{len(notes)} notes of {looked} models, {failed} of which cannot be looked at here")


def _look() -> tuple[int, int]:
    """How many models there are, and how many cannot be looked at."""
    try:
        registry = importlib.import_module(_REGISTRY)
        models = [
            model
            for model in registry.ModelRegistry.models.values()
            if model.module_name.startswith(_FOR_ALL_PLATFORMS)
        ]
    except Exception as reason:  # noqa: BLE001 - an older vLLM, or one that wants a GPU for it
        print(f"this vLLM has no registry that can be looked at here: {reason}")
        return 0, 0
    registry._run_in_subprocess = lambda look: look()  # all of them in this one
    failed = 0
    for model in models:
        try:
            model.inspect_model_cls()
        except Exception as fault:  # noqa: BLE001 - what vLLM's modules raise without a GPU
            failed += 1
            print(f"{getattr(model, 'class_name', model)}: {type(fault).__name__}: {fault}")
    return len(models), failed


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # skips torch's teardown
