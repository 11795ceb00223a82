"""Finds what of a model is on this machine already: a few looks at the disk before each start."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import hanging
from ..decoding import read_text
from ..files import existing, is_dir
from ..foreign.reading import mounts
from ..machine.gpus import visible
from ..records import replace
from ..settings import table
from ..settings.values import early
from . import stored, unseen
from .hub import cached, configured, hub_cache, weights_folder, whole
from .placement import MANIFEST, TEMPORARY, Download, Name, OnDisk, baked_folder

_SET = r"[\"']?([A-Za-z][\w-]*)[\"']?[ \t]*:[ \t]*[\"']?([\w~]*)"  # and the first word behind it
_OWN = re.compile(rf"^{_SET}", re.MULTILINE)
_KEY = re.compile(rf"^[ \t]*{_SET}", re.MULTILINE)  # of a value's own, too
_OFF = {"false", "no", "off", "0", "null", "none", "~"}
_KERNELS = {"proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "bpf", "securityfs"}
_OTHERS = ("/var/tmp", "/usr/tmp")  # noqa: S108 - as Python's tempfile has them


def look(env: Mapping[str, str], gpus: Path | None = None, devices: Path | None = None) -> OnDisk:
    """Look for the model of `env`: baked into the image, then kept by the platform.

    Args:
        env: MODEL_NAME, MODEL_REVISION, TOKENIZER_NAME, VLLM_CONFIG_FILE, BASE_PATH, BAKED_MODELS,
            HOME, TMPDIR, CUDA_VISIBLE_DEVICES, NVIDIA_VISIBLE_DEVICES.
        gpus: where the driver shows its GPUs; None for this machine's.
        devices: where their device files are; None for this machine's.
    """
    seen = visible(env, gpus, devices)
    try:
        found = hanging.look(lambda: _files(env), _begin(env))
    except hanging.HangsError as reason:
        found = OnDisk(temporary=env.get("TMPDIR") or TEMPORARY, unseen=(unseen.hung(env, reason),))
    return replace(found, device=seen.name, gpus=seen.count)


def _begin(env: Mapping[str, str]) -> list[Path]:
    """Where the looks at files begin."""
    said = (table.MODEL_NAME.written(env), table.VLLM_CONFIG_FILE.written(env))
    folders = (early(env, table.BASE_PATH), *_temporaries(env))
    paths = [Path("/", path) for path in (*said, *folders) if path]
    return [*paths, baked_folder(env), _downloads(env), hub_cache(env)]


def _files(env: Mapping[str, str]) -> OnDisk:
    """What is found in files."""
    volume = _volume(env)
    model = _model(env, volume)
    place = Path(model.path) if model.path else _place(env)
    said = config_text(table.VLLM_CONFIG_FILE.written(env))
    return replace(
        model,
        volume=volume,
        temporary=_temporary(env),
        config={} if place is None else _config(_configured(env, place)),
        stored=None if place is None or _is_to_come(model) else stored.look(place),
        unseen=unseen.look(env, volume),
        configured=_keys(said),
        configuration=said,
        turned_on=frozenset(key for key, value in _named(said, _OWN).items() if value not in _OFF),
    )


def _model(env: Mapping[str, str], volume: Path | None) -> OnDisk:
    text, revision = table.MODEL_NAME.written(env), _revision(env)
    config_file = table.VLLM_CONFIG_FILE.written(env)
    name = Name.parse(text)
    if (text and name is None) or (config_file and not text):  # a path, or the file names it
        return OnDisk()
    found = _baked(env, text, revision)
    if found is None and name is not None:
        found = _kept(env, name, revision)
    if found is None and name is not None and name.subfolder:
        found = _to_download(env, name, revision, volume)
    return found or OnDisk()


def _place(env: Mapping[str, str]) -> Path | None:
    """Where the engine will find the model's weights by itself."""
    model, revision = table.MODEL_NAME.written(env), _revision(env)
    return stored.place(model, revision, _downloads(env), hub_cache(env))


def _configured(env: Mapping[str, str], place: Path) -> Path:
    """The folder with the configuration of the model whose weights are at `place`."""
    name = Name.parse(table.MODEL_NAME.written(env))
    found = None if name is None else configured(hub_cache(env), name, _revision(env), place)
    return found or place


def _is_to_come(model: OnDisk) -> bool:
    """Whether it is fetched before the start, and an earlier one has not left all of it."""
    return model.download is not None and not whole(Path(model.path or ""))


def _revision(env: Mapping[str, str]) -> str:
    return env.get("MODEL_REVISION", "").strip() or env.get("REVISION", "").strip()


def _downloads(env: Mapping[str, str]) -> Path:
    return weights_folder(env.get("DOWNLOAD_DIR", "").strip(), env)


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # the engine will say what is wrong with it
        return {}
    return found if isinstance(found, dict) else {}


def keys(config_file: str) -> frozenset[str]:
    """What a YAML file sets, near enough: a key of another one's value counts, too."""
    return _keys(config_text(config_file))


def _keys(text: str) -> frozenset[str]:
    return frozenset(_named(text, _KEY))


def config_text(config_file: str) -> str:
    """What stands in a YAML file; empty where it cannot be read."""
    try:
        return read_text(Path("/", config_file)) if config_file else ""  # the engine runs in /
    except (OSError, ValueError):  # the engine will say what is wrong with it
        return ""


def _named(text: str, pattern: re.Pattern[str]) -> dict[str, str]:
    """What a YAML file sets, near enough, and the word behind it on its line."""
    return {key.replace("_", "-"): value.lower() for key, value in pattern.findall(text)}


def _volume(env: Mapping[str, str]) -> Path | None:
    """BASE_PATH, if it is a writable folder, or one that a start can make.

    Without a volume the default is not there. What the user names is made: a folder of a volume
    is not there before its first start. Not at the root, where it would be a volume's own place,
    and none is there.
    """
    base = Path(early(env, table.BASE_PATH))
    if _is_writable(base):
        return base
    return base if table.BASE_PATH.written(env) and _can_be_made(base) else None


def _can_be_made(folder: Path) -> bool:
    if not folder.is_absolute() or not _is_nothing(folder):
        return False
    above = existing(folder)
    return above != Path("/") and _is_writable(above) and not _is_the_kernels(above)


def _is_the_kernels(folder: Path) -> bool:
    """Whether nobody can make a folder in it, whatever its rights say."""
    with contextlib.suppress(OSError, ValueError):
        mounted = Path(mounts.FILE).read_text(encoding="utf-8")
        return mounts.filesystem(mounted, os.path.realpath(folder)) in _KERNELS
    return False


def _is_nothing(folder: Path) -> bool:
    try:
        folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # nobody knows
        return False
    return False


def _temporary(env: Mapping[str, str]) -> str:
    """The folder for temporary files: TMPDIR as it is, else the first that can be written to."""
    if own := env.get("TMPDIR", ""):
        return own
    return next((each for each in _temporaries(env) if _is_writable(Path(each))), TEMPORARY)


def _temporaries(env: Mapping[str, str]) -> list[str]:
    """The folders that are tried, in this order."""
    folders = (env.get("TEMP"), env.get("TMP"), TEMPORARY, *_OTHERS)
    return [each for each in folders if each]


def _is_writable(folder: Path) -> bool:
    return is_dir(folder) and os.access(folder, os.W_OK)


def _baked(env: Mapping[str, str], wanted: str, revision: str) -> OnDisk | None:
    folder = baked_folder(env)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        model = manifest["model"]
        name, place = str(model["repository"]), Path(model["folder"])
        revisions = [model.get("revision"), model.get("commit")]
        tokenizer = manifest.get("tokenizer")
        its_name, its = (
            (tokenizer["repository"], str(tokenizer["folder"])) if tokenizer else ("", None)
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    of_revision = not revision or revision in revisions
    if (wanted and wanted != name) or not of_revision or not is_dir(place):
        return None
    asked = env.get("TOKENIZER_NAME", "").strip() or env.get("TOKENIZER", "").strip()
    if not tokenizer or asked not in {"", its_name}:
        its = str(place) if asked == name else None
    return OnDisk(name, str(place), its, "baked into the image", _other_code(place))


def _kept(env: Mapping[str, str], name: Name, revision: str) -> OnDisk | None:
    """In the cache that the platform keeps on the volume."""
    base = Path(early(env, table.BASE_PATH))
    path = cached(base / "huggingface-cache" / "hub", name, revision)
    if path is None:
        return None
    return OnDisk(str(name), str(path), None, "kept by the platform", _other_code(path))


def _to_download(env: Mapping[str, str], name: Name, revision: str, volume: Path | None) -> OnDisk:
    """A folder of a repository, for vLLM takes whole ones only; a place for each revision."""
    place = volume or Path(env.get("HOME", "").strip() or "/root") / ".cache" / "vllm-supervisor"
    which = f"{name.repository}@{revision or 'main'}".replace("/", "--")
    folder = place / "models" / which
    return OnDisk(
        str(name),
        str(folder / name.subfolder),
        where="downloaded before the start",
        download=Download(name, revision, str(folder)),
    )


def _other_code(folder: Path) -> bool:
    """Whether the model's code is in another repository (`org/name--file.Class` in auto_map)."""
    code = _config(folder).get("auto_map")
    return isinstance(code, dict) and any("--" in str(value) for value in code.values())
