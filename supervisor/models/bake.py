"""`python -m supervisor bake`: puts a model into a folder, usually while an image is built."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..catalog import store
from ..decoding import read_text
from ..errors import ConfigurationError, SupervisorError
from ..files import write_whole
from ..settings import handed, table
from ..settings.values import take
from .placement import MANIFEST, Name, baked_folder

_DOWNLOAD = Path(__file__).parents[1] / "foreign" / "download"
_SCHEMA = 1


def bake(env: Mapping[str, str], command: str) -> Path:
    """Download MODEL_NAME, and TOKENIZER_NAME where it is another repository; write a manifest.

    Args:
        env: MODEL_NAME, MODEL_REVISION, TOKENIZER_NAME, TOKENIZER_REVISION, LOAD_FORMAT, HF_TOKEN
            or a file with it, HF_ENDPOINT, BAKED_MODELS.
        command: the engine's, whose interpreter downloads.

    Returns:
        The manifest.

    Raises:
        ConfigurationError: no model to download is named, or no absolute path for it.
        SupervisorError: the download failed, and why.
    """
    model = _model(env)
    for fault in take(env, [table.BAKED_MODELS])[1]:
        raise ConfigurationError(fault.message)
    interpreter = store.interpreter(command, env)
    target = baked_folder(env)
    with_token = {**env, **_token(env)}

    def fetch(name: Name, revision: str, kind: str) -> dict[str, Any]:
        folder = target / name.repository.replace("/", "--")
        done = run(interpreter, name, revision, folder, kind, with_token)
        # Only a broken-off download would need it, to resume; an image does not.
        shutil.rmtree(folder / ".cache", ignore_errors=True)
        place = folder / name.subfolder if name.subfolder else folder
        return {"repository": str(name), "revision": revision or None, "folder": str(place), **done}

    manifest: dict[str, Any] = {"schema": _SCHEMA}
    manifest["model"] = fetch(model, env.get("MODEL_REVISION", "").strip(), "model")
    tokenizer = Name.parse(env.get("TOKENIZER_NAME", "").strip() or env.get("TOKENIZER", ""))
    if tokenizer is not None and tokenizer != model:
        revision = env.get("TOKENIZER_REVISION", "").strip()
        manifest["tokenizer"] = fetch(tokenizer, revision, "tokenizer")
    path = target / MANIFEST
    write_whole(path, json.dumps(manifest, indent=2) + "\n")
    return path


def _model(env: Mapping[str, str]) -> Name:
    text = table.MODEL_NAME.written(env)
    if not text:
        message = "MODEL_NAME is not set; set it to a repository such as Qwen/Qwen3-0.6B"
        raise ConfigurationError(message)
    if (name := Name.parse(text)) is None:
        raise ConfigurationError(
            f"MODEL_NAME={text} is not a repository to download; name one such as Qwen/Qwen3-0.6B"
        )
    return name


def download(
    interpreter: tuple[str, ...], name: Name, revision: str, folder: Path, kind: str
) -> list[str]:
    """The command that downloads; with `--` and another command behind it, it becomes that one."""
    wanted = (name.repository, revision, str(folder), name.subfolder, kind)
    return [*interpreter, str(_DOWNLOAD), *wanted]


def run(
    interpreter: tuple[str, ...],
    name: Name,
    revision: str,
    folder: Path,
    kind: str,
    env: Mapping[str, str],
) -> dict[str, Any]:
    """Download once, by the engine's interpreter; its progress goes to our standard error.

    Raises:
        SupervisorError: it failed, and why.
    """
    given = handed.to_interpreter(env)
    kept = {key: value for key, value in given.items() if not key.startswith("PYTHON")}
    try:
        done = subprocess.run(
            download(interpreter, name, revision, folder, kind),
            env={**kept, "HF_HUB_OFFLINE": "0"},
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=None,
            text=True,
            check=False,
        )
    except OSError as reason:
        raise SupervisorError(f"{interpreter[0]} does not start: {reason.strerror}") from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        message = f"the download of {name} failed with code {done.returncode}; see the lines above"
        raise SupervisorError(message) from None
    if "error" in answer:
        raise SupervisorError(answer["error"])
    return answer


def _token(env: Mapping[str, str]) -> dict[str, str]:
    """The token of the hub, from the variable or from a file; it is written nowhere."""
    if env.get("HF_TOKEN", "").strip():
        return {}
    path = Path(table.HF_TOKEN_FILE.of(env))
    try:
        token = read_text(path).strip()
    except OSError as reason:
        why = f"cannot be read: {reason.strerror}"
    except ValueError as reason:
        why = str(reason)
    else:
        return {"HF_TOKEN": token} if token else {}
    if table.HF_TOKEN_FILE.written(env):
        raise ConfigurationError(f"HF_TOKEN_FILE={path} {why}")
    return {}


def announce(path: Path) -> None:
    """Say what was baked."""
    model = json.loads(path.read_text(encoding="utf-8"))["model"]
    size = f"{model['bytes'] / 1e9:.2f} GB in {len(model['files'])} files"
    print(f"{model['repository']} at {model['commit']}: {size}, in {model['folder']}")
    sys.stdout.flush()
