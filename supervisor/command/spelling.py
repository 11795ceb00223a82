"""Finds variables that look like a misspelt setting. Pure.

A container's environment is full of names that are nobody's business; a warning about one of them
is worse than none. So a name is only held against the known ones where it is long, where its
beginning or end is the same, and where it differs by little.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from ..findings import Fault, Finding, Findings, Remark
from ..secrets import MASK

#: Names that others set: shells, containers, clusters, drivers and the libraries under vLLM.
_OTHERS = re.compile(
    r"(RUNPOD|NVIDIA|CUDA|NCCL|PYTHON|PIP|LC|LD|XDG|SSH|SSL|GIT|CONDA|UV|VIRTUAL|KUBERNETES|AWS|GCP"
    r"|GOOGLE|AZURE|HF|HUGGING_FACE|HUGGINGFACE|TRANSFORMERS|TORCH|TORCHINDUCTOR|PYTORCH|TRITON"
    r"|VLLM|FLASHINFER|RAY|OMP|MKL|KMP|OPENBLAS|NUMEXPR|TOKENIZERS|TQDM|UCX|GLOO|NVSHMEM|NVTE|OTEL"
    r"|PROMETHEUS|DOCKER|CONTAINER|MASTER|NODE|WORLD|LOCAL|GROUP|JUPYTER|TENSORBOARD|SAFETENSORS"
    r"|CI|GITHUB|npm|NPM|DEBIAN|APT|DBUS|DISPLAY|TERM|SHELL|HOME|HOST|HOSTNAME|USER|PATH|PWD|LANG"
    r"|PUBLIC|WANDB|MLFLOW|SUPERVISOR|WORKER)(_.*)?|.*_(SERVICE_HOST|SERVICE_PORT|PORT_\d+_.*)"
)
_SHORTEST = 7  # characters: below, everything resembles something
_ALIKE = 0.86  # difflib's ratio without underscores; MAX_MODEL_LENGTH to MAX_MODEL_LEN has 0.88
_EDGE = 3  # characters of the beginning or the end that a misspelling keeps


def misspelt(
    env: Mapping[str, str], known: Collection[str], version: str, *, strict: bool
) -> Findings:
    """Names that resemble a setting: a warning each, under STRICT_ENV an error each.

    Args:
        env: the variables that are set.
        known: every name that means something.
        version: vLLM's, for the sentence.
        strict: STRICT_ENV.
    """
    found: list[Finding] = []
    for name, meant in suspects(env, known).items():
        message = f"{name} is not a setting of the worker or of vLLM {version}"
        remedy = f"did you mean {meant}?"
        # The value says nothing here, and may be a secret under a misspelt name.
        wrong = Fault(name, MASK, message, remedy) if strict else Remark(name, message, remedy)
        found.append(wrong)
    return Findings.of(*found)


def suspects(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Each name that looks like a misspelt one of `known` -> the known one.

    Args:
        names: the variables that are set.
        known: every name that means something.
    """
    index = _Index(known)
    found = {}
    for name in sorted(names):
        if name in known or len(name) < _SHORTEST or _OTHERS.fullmatch(name):
            continue
        if (nearest := index.nearest(name)) is not None:
            found[name] = nearest
    return found


class _Index:
    """Known names by their edges, so that a look is cheap."""

    def __init__(self, known: Iterable[str]) -> None:
        self._by_edge: dict[str, list[tuple[str, str]]] = {}
        for name in known:
            squeezed = name.replace("_", "")
            for edge in _edges(squeezed):
                self._by_edge.setdefault(edge, []).append((squeezed, name))

    def nearest(self, name: str) -> str | None:
        """The known name that `name` resembles most, if it does."""
        squeezed = name.upper().replace("_", "").replace("-", "")
        candidates = {
            known: original
            for edge in _edges(squeezed)
            for known, original in self._by_edge.get(edge, ())
            if abs(len(known) - len(squeezed)) <= _EDGE
        }
        if not candidates:
            return None
        import difflib  # only now: most starts have nothing to compare, and need not wait for it

        alike = difflib.get_close_matches(squeezed, candidates, n=1, cutoff=_ALIKE)
        return candidates[alike[0]] if alike else None


def _edges(squeezed: str) -> tuple[str, str]:
    return f"{squeezed[:_EDGE]}-", f"-{squeezed[-_EDGE:]}"
