"""Prints facts about this interpreter's vLLM, its devices and the model, as one line of JSON.

Run by the engine's own interpreter; imports nothing of ours. What fails becomes a fact too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_PATIENCE = 10  # seconds for the model's host


def main() -> None:
    """Write the facts as the last line of standard output."""
    facts: dict[str, Any] = {}
    for gather in (_torch, _driver, _model):
        facts.update(gather())
    sys.stdout.write("\n" + json.dumps(facts) + "\n")


def _torch() -> dict[str, Any]:
    try:
        import torch
    except Exception as fault:  # noqa: BLE001 - a broken build raises anything
        return {"torch_fault": f"torch does not load: {fault}"}
    facts: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "devices": []}
    try:
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
            facts["devices"].append({"name": name, "free": free, "total": total})
    except Exception as fault:  # noqa: BLE001 - a driver that does not fit raises anything
        facts["device_fault"] = str(fault).splitlines()[0]
    return facts


def _driver() -> dict[str, Any]:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"driver": done.stdout.strip().split("\n")[0]}


def _model() -> dict[str, Any]:
    name = os.environ.get("MODEL_NAME", "").strip()
    if not name:
        return {}
    folder = Path(name)
    if folder.is_absolute():
        try:
            if not folder.exists():
                return {"model": {"state": "missing"}}
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        except OSError as reason:  # its volume is dead, or it is another user's
            return {"model": {"state": "unreadable", "fault": reason.strerror}}
        return {"model": {"state": "on disk", "bytes": size}}
    try:
        return {"model": _repository(name, os.environ.get("MODEL_REVISION") or None)}
    except Exception as fault:  # noqa: BLE001 - no name of a model makes an engine unusable
        said = str(fault).splitlines() or [type(fault).__name__]
        return {"model": {"state": "not asked", "fault": said[0]}}


def _repository(name: str, revision: str | None) -> dict[str, Any]:
    import huggingface_hub as hub
    from huggingface_hub import errors

    try:
        if isinstance(hub.try_to_load_from_cache(name, "config.json", revision=revision), str):
            return {"state": "on disk"}
        found = hub.HfApi().model_info(
            name, revision=revision, timeout=_PATIENCE, files_metadata=True
        )
    except errors.GatedRepoError:
        return {"state": "gated"}
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        return {"state": "missing"}
    except errors.HfHubHTTPError as fault:
        refused = getattr(fault.response, "status_code", 0) in {401, 403}
        return {"state": "refused" if refused else "offline"}
    except errors.HFValidationError:
        return {"state": "no name"}
    except Exception:  # noqa: BLE001 - the hub's client changes its HTTP library now and then
        return {"state": "offline"}
    files = found.siblings or []
    weights = [file.size or 0 for file in files if file.rfilename.endswith(".safetensors")]
    return {"state": "readable", "bytes": sum(weights) or sum(file.size or 0 for file in files)}


if __name__ == "__main__":
    main()
