"""Which files and folders the engine will look for, and what to say of those that are not there.

Pure: the caller looks at the disk. A text that may be the name of a repository is none of these:
only what begins like a path is. The engine runs in `/`, from where a relative path counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ...decoding import json_of
from ...findings import Fault, Finding, Findings, Remark
from ...records import dataclass
from ..arguments import Argument, Arguments
from . import adapters
from .speakers import Speakers

#: Options whose value is a file.
_FILES = ("--config", "--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs")
_CHAT_TEMPLATE = "--chat-template"
#: Options whose value is a file of text, where it is a path at all.
_TEXTS = frozenset({
    *_FILES, _CHAT_TEMPLATE, "--tool-parser-plugin", "--reasoning-parser-plugin",
    "--log-config-file", "--quantization-param-path",
})  # fmt: skip
#: Options whose value may be the path of a file or a folder.
_PLACES = (_CHAT_TEMPLATE, "--tokenizer", "--hf-config-path")
#: The same, but without what they name vLLM starts and says little or nothing of it.
_LENIENT = (
    "--tool-parser-plugin", "--reasoning-parser-plugin", "--generation-config",
    "--allowed-local-media-path", "--log-config-file", "--quantization-param-path",
    "--qlora-adapter-name-or-path", "--default-mm-loras",
)  # fmt: skip
#: Options that take an object -> the field that is a path, or "" where each one is.
_IN_OBJECTS = {"--speculative-config": "model", "--default-mm-loras": ""}
_FILE = "give the absolute path of a file"
_BEGINNINGS = ("/", "./", "../")
_TEMPLATE = "{}\n"  # with one of these a text is a chat template, and no path to one


@dataclass(frozen=True, slots=True)
class Place:
    """A path on the command line, and the argument in which it stands."""

    path: str
    argument: Argument

    @property
    def is_text(self) -> bool:
        """Whether it has to be a file of text."""
        return self.argument.flag in _TEXTS


def named(options: Arguments, written: Collection[str]) -> tuple[Place, ...]:
    """Every path that the engine will look for; without those in `written`, which come to be."""
    last = {argument.flag: argument for argument in options.given}
    return tuple(
        Place(path, argument)
        for argument in last.values()
        for path in _paths(argument)
        if _is_a_path(path, argument.flag) and path not in written
    )


def unlike(places: Collection[tuple[Place, str]], speakers: Speakers, *, here: bool) -> Findings:
    """What to say of places at which something else is than a file, each with what that is.

    The other arguments are as in `missing`.
    """
    found: list[Finding] = []
    for place, reason in places:
        name, shown, sentence = speakers.said(place.argument, place.path, reason)
        lenient = not here or place.argument.flag in _LENIENT
        fault, remark = Fault(name, shown, sentence, _FILE), Remark(name, sentence, _FILE)
        found.append(remark if lenient else fault)
    return Findings.of(*found)


def missing(places: Collection[tuple[Place, str]], speakers: Speakers, *, here: bool) -> Findings:
    """What to say of places at which nothing is seen.

    Args:
        places: these, each with why it cannot be looked at; empty where there is nothing.
        speakers: who named them.
        here: whether the engine would run on this machine.
    """
    return Findings.of(*(_told(*each, speakers, here=here) for each in places))


def _told(place: Place, why: str, speakers: Speakers, *, here: bool) -> Finding:
    reason = f"cannot be used: {why}" if why else "does not exist on this machine"
    if not why and not place.path.startswith("/"):
        reason = f"does not exist: the engine runs in /, so that it looks for /{place.path}"
    name, shown, sentence = speakers.said(place.argument, place.path, reason)
    remedy = "give the absolute path of what is there"
    if place.argument.flag in adapters.FLAGS:
        remedy += ", or the name of a repository"
    remedy = "mount it again, or name another place" if why else remedy
    if here and place.argument.flag not in _LENIENT:
        return Fault(name, shown, sentence, remedy)
    return Remark(name, sentence, remedy)


def _is_a_path(text: str, flag: str) -> bool:
    """Whether it can be nothing but a path: vLLM has templates by name, but none in a folder."""
    of_template = flag == _CHAT_TEMPLATE and "/" in text
    return text.startswith(_BEGINNINGS) or of_template or bool(text and flag in _FILES)


def _paths(argument: Argument) -> Iterator[str]:
    flag, first = argument.flag, next(iter(argument.values), "")
    if flag in adapters.FLAGS:
        yield from (adapters.paths(item) for item in argument.values)
    elif flag in _IN_OBJECTS:
        yield from _in_object(first, _IN_OBJECTS[flag])
    elif flag in (*_FILES, *_PLACES, *_LENIENT) and not any(sign in first for sign in _TEMPLATE):
        yield first


def _in_object(text: str, field: str) -> Iterator[str]:
    try:
        found = json_of(text)
    except ValueError:
        return
    if isinstance(found, dict):
        wanted = [found.get(field)] if field else found.values()
        yield from (value for value in wanted if isinstance(value, str))
