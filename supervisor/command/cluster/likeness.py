"""What has to be the same on all nodes that serve one model, and what is said where it is not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ...catalog.options import variable
from ...secrets import is_secret, masked
from ..arguments import SECRETS, Arguments

_TEXTS = ("address", "version", "model", "revision", "commit")
_MOST = 3  # options that are named in one sentence
_SHORT = 12  # characters of a commit, or of a hash
_SHOWN = 80  # characters of a value, or of an option's name
_LONGEST = 200  # of a model's name, which may be a path
_COMMIT = re.compile(r"/snapshots/([0-9a-f]{40})(?:/|$)")
#: Words, numbers, paths and addresses: what can be told of a value. In the rest, such as an object,
#: a secret may stand behind any name, and none that the masker has to know.
_PLAIN = re.compile(r"[\w.,:/+~-]+(?: [\w.,:/+~-]+)*")
_OF_OBJECTS = ("config", "kwargs", "overrides", "args", "params", "headers", "env")
#: Of the node itself, of its disk, or of the server that answers requests, which rank 0 alone has.
_OWN = frozenset(
    """
    node-rank headless master-addr data-parallel-rank data-parallel-start-rank data-parallel-address
    distributed-timeout-seconds numa-bind numa-bind-nodes numa-bind-cpus device-ids
    config model revision tokenizer download-dir safetensors-load-strategy served-model-name
    host port uds grpc grpc-port api-server-count root-path middleware lora-modules tool-server
    chat-template response-role max-log-len shutdown-timeout tool-call-parser tool-parser-plugin
    otlp-traces-endpoint collect-detailed-traces generation-config disable-fastapi-docs
    allow-credentials allowed-origins allowed-methods allowed-headers allowed-local-media-path
    allowed-media-domains use-tqdm-on-load sse-keep-alive-interval log-level uvicorn-log-level
    disable-log-stats disable-log-requests enable-log-requests enable-log-outputs
    """.split()
)
_OWN_BEGIN = (
    "ssl-", "log", "disable-access-log", "disable-uvicorn", "chat-template", "h11-", "fingerprint-",
    "dp-supervisor-",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identity:
    """What a node would run.

    Attributes:
        rank: of the node.
        address: at which the others reach it.
        version: of its vLLM; empty where that is not known.
        model: what it serves.
        revision: of the model as it was asked for; empty for none.
        commit: of the model on its disk; empty where that is not known, or not all of it there.
        options: those that have to be alike: MAX_MODEL_LEN -> its value, or a hash of it.
    """

    rank: int
    address: str
    version: str = ""
    model: str = ""
    revision: str = ""
    commit: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As an object of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Identity:
        """What `to_json` made.

        Raises:
            ValueError: it is nothing of that kind.
        """
        said: Mapping[str, Any] = data if isinstance(data, dict) else {}
        rank, options = said.get("rank"), said.get("options")
        texts: dict[str, Any] = {name: said.get(name) for name in _TEXTS}
        of_options = (*options, *options.values()) if isinstance(options, dict) else (None,)
        whole = all(isinstance(text, str) for text in (*texts.values(), *of_options))
        if not isinstance(rank, int) or not whole:
            raise ValueError("does not say what a node runs")
        return cls(rank=rank, options=options or {}, **texts)


def alike(said: Arguments, configured: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """The options that have to be the same on every node, as variables.

    They go to other machines, and into their logs: of all but plain values only a hash does.

    Args:
        said: those of the command line; they win, as in vLLM.
        configured: those of VLLM_CONFIG_FILE: `max-model-len` -> its value.
    """
    texts = {f"--{name}": text for name, text in (configured or {}).items()}
    for argument in said.given:  # of one that is given twice the last one counts
        texts[argument.flag] = " ".join(argument.values) or argument.spelt
    return {
        variable(flag): _told(variable(flag), texts[flag])
        for flag in sorted(texts)
        if flag and flag not in SECRETS and not _is_own(flag.lstrip("-"))
    }


def _told(name: str, text: str) -> str:
    """A value as others may know it, to compare it with theirs."""
    shown = masked(name, text)
    if not text or is_secret(name):
        return shown
    plain = _PLAIN.fullmatch(text) and shown == text and not re.search(r":(?: |$)", text)
    if plain and (text.isdecimal() or not name.lower().endswith(_OF_OBJECTS)):
        return text
    # Not of the secrets that are known to be some: short ones could be found by their hash.
    same = " ".join(shown.split()).encode(errors="backslashreplace")
    return f"(not shown, sha256 {hashlib.sha256(same).hexdigest()[:_SHORT]})"


def commit(path: str) -> str:
    """The commit that a folder of the hub's cache is of; empty for another folder."""
    found = _COMMIT.search(path)
    return found[1] if found else ""


def differences(ours: Identity, theirs: Identity, *, prepared: bool = True) -> str | None:
    """What keeps two nodes from serving one model, and what to do about it; None: nothing.

    Args:
        ours: rank 0.
        theirs: another.
        prepared: both have the model. Else neither its commit nor the revision counts, of which
            nobody can tell yet whether it is the same.
    """
    they, we = f"rank {theirs.rank} ({theirs.address})", f"rank {ours.rank}"
    if theirs.version != ours.version:
        mine, other = (_shown(each.version) or "of unknown version" for each in (ours, theirs))
        return f"{they} runs vLLM {other}, {we} runs {mine}; use one image"
    if theirs.model != ours.model:
        mine, other = (_model(each) or "no model" for each in (ours, theirs))
        return f"{they} serves {other}, {we} serves {mine}; set MODEL_NAME alike"
    if prepared and (which := _of_revisions(ours, theirs)) is not None:
        mine, other = which
        remedy = "set MODEL_REVISION to one commit on every node"
        return f"{they} has {other}, {we} has {mine} of {_model(ours)}; {remedy}"
    return _of_options(ours, theirs, they, we)


def _of_revisions(ours: Identity, theirs: Identity) -> tuple[str, str] | None:
    """What the two have where it differs; their commits count where both are known."""
    if ours.commit and theirs.commit:
        mine, other = (f"commit {one_line(each.commit)[:_SHORT]}" for each in (ours, theirs))
        return (mine, other) if ours.commit != theirs.commit else None
    mine, other = (_shown(masked("", each.revision)) or "no revision" for each in (ours, theirs))
    return (mine, other) if ours.revision != theirs.revision else None


def _of_options(ours: Identity, theirs: Identity, they: str, we: str) -> str | None:
    names = sorted(
        name
        for name in {*ours.options, *theirs.options}
        if ours.options.get(name) != theirs.options.get(name)
    )
    if not names:
        return None
    mine, other = (
        ", ".join(_said(name, each.options) for name in names[:_MOST]) for each in (ours, theirs)
    )
    more = len(names) - _MOST
    also = f", and {more} more options differ" if more > 0 else ""
    return f"{they} has {other}, {we} has {mine}{also}; set them alike on every node"


def _said(name: str, options: Mapping[str, str]) -> str:
    if name not in options:
        return f"no {_shown(name)}"
    return f"{_shown(name)}={_shown(options[name])}"


def _model(node: Identity) -> str:
    return _shown(masked("", node.model), _LONGEST)


def _shown(text: str, most: int = _SHOWN) -> str:
    """A text for a sentence: it came from another machine, and all of it was compared."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def one_line(text: str) -> str:
    """A text of another machine on one line, without what a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(_OWN_BEGIN)
