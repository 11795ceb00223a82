"""Facts about a machine and a model -> lines of a report. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_GB = 1e9
_ROOM = 2e9  # bytes beyond the model: the compile cache, temporary files


class Verdict(StrEnum):
    """What a line says."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report; what is not good has its remedy, here or at the end of the text."""

    name: str
    verdict: Verdict
    text: str
    remedy: str = ""


def judge(facts: Mapping[str, Any], model: str, disk: tuple[str, int]) -> list[Line]:
    """The lines about torch, devices, the model and the disk.

    Args:
        facts: what `probe` printed; empty where it could not be asked.
        model: what is served; empty where nothing names it.
        disk: the folder for models and its free bytes.
    """
    return [_torch(facts), *_devices(facts), _model(facts, model), _disk(facts, disk)]


def _torch(facts: Mapping[str, Any]) -> Line:
    if not facts.get("torch"):
        why = facts.get("torch_fault") or "not asked: there is no engine to ask"
        return Line("torch", Verdict.UNKNOWN, why, "fix the lines above first")
    cuda = f", built for CUDA {facts['cuda']}" if facts.get("cuda") else ", built for CPUs"
    return Line("torch", Verdict.GOOD, f"{facts['torch']}{cuda}")


def _devices(facts: Mapping[str, Any]) -> list[Line]:
    devices = facts.get("devices") or []
    lines = [
        Line(
            "device",
            Verdict.GOOD,
            f"{device['name']}, {device['free'] / _GB:.1f} of {device['total'] / _GB:.1f} GB free",
        )
        for device in devices
    ]
    driver = facts.get("driver")
    if driver:
        lines.append(Line("driver", Verdict.GOOD, f"NVIDIA {driver}"))
    if devices:
        return lines
    if facts.get("cuda"):
        why = facts.get("device_fault") or "this vLLM is built for GPUs and sees none"
        remedy = "give the container its GPUs (--gpus all), or update the driver"
        return [*lines, Line("device", Verdict.BAD, why, remedy)]
    if facts:
        return [*lines, Line("device", Verdict.GOOD, "no GPU, and this vLLM is built for CPUs")]
    return [Line("device", Verdict.UNKNOWN, "not asked", "fix the lines above first")]


def _model(facts: Mapping[str, Any], model: str) -> Line:
    if not model:
        why = "MODEL_NAME is not set, so vLLM would serve its default model"
        return Line("model", Verdict.UNKNOWN, why, "set MODEL_NAME")
    access = facts.get("model") or {}
    size = f", {access['bytes'] / _GB:.1f} GB" if access.get("bytes") else ""
    match access.get("state"):
        case "on disk":
            return Line("model", Verdict.GOOD, f"{model} is on this disk{size}")
        case "readable":
            return Line("model", Verdict.GOOD, f"{model} can be read from its host{size}")
        case "gated":
            why = f"{model} is gated, and the given token has no access to it"
            remedy = "accept its licence and set HF_TOKEN to a token of the same account"
            return Line("model", Verdict.BAD, why, remedy)
        case "unreadable":
            why = f"{model} cannot be read: {access.get('fault')}"
            remedy = "mount its volume again, or let this user read it"
            return Line("model", Verdict.BAD, why, remedy)
        case "refused":
            why = f"the host refused the token for {model}"
            return Line("model", Verdict.BAD, why, "set HF_TOKEN to a valid token")
        case "missing" if model.startswith("/"):
            why = f"{model} does not exist on this machine"
            return Line("model", Verdict.BAD, why, "give the path of a model's folder")
        case "missing":
            why = f"{model} was not found"
            remedy = "check the name and the revision; a private repository needs HF_TOKEN"
            return Line("model", Verdict.BAD, why, remedy)
        case "no name":
            why = f"{model} is not the name of a repository"
            remedy = "set MODEL_NAME to its name, as in org/model, or to the path of a folder"
            return Line("model", Verdict.BAD, why, remedy)
        case "not asked":
            why = f"{model} was not looked for: {access.get('fault')}"
            remedy = "see whether the engine's own huggingface_hub works"
            return Line("model", Verdict.UNKNOWN, why, remedy)
        case "offline":
            why = f"{model} is not on this disk, and its host cannot be reached"
            return Line("model", Verdict.UNKNOWN, why, "check the network, or HF_HUB_OFFLINE")
        case _:
            return Line("model", Verdict.UNKNOWN, "not asked", "fix the lines above first")


def _disk(facts: Mapping[str, Any], disk: tuple[str, int]) -> Line:
    folder, free = disk
    access = facts.get("model") or {}
    text = f"{free / _GB:.1f} GB free in {folder}"
    size = access.get("bytes")
    if access.get("state") != "readable" or not size:
        verdict = Verdict.GOOD if free > _ROOM else Verdict.BAD
    else:
        text += f", the model needs {size / _GB:.1f}"
        verdict = Verdict.GOOD if free > size + _ROOM else Verdict.BAD
    remedy = (
        ""
        if verdict is Verdict.GOOD
        else "free some space, or set HF_HOME to a folder on a larger disk"
    )
    return Line("disk", verdict, text, "" if verdict is Verdict.GOOD else remedy)
