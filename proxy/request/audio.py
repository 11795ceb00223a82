"""The form that the audio routes take, from a job's JSON. Pure.

vLLM reads the recording as a file of a multipart form, as OpenAI's clients send it; a job has it in
base64: ``{"file": "UklGRi...", "language": "en", "timestamp_granularities": ["word"]}``.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from proxy import excerpt
from proxy.errors import InvalidInput
from supervisor.settings.routes import FORMS

#: The routes that take a form.
ROUTES = FORMS

#: Bytes of a recording: what vLLM takes by default, and OpenAI. The platform takes jobs of 10 MB
#: (/run) and 20 MB (/runsync), base64 and all.
MOST_BYTES = 25 * 1024 * 1024

_MOST_VALUES = 100  # of one field
_PIECE = 1 << 20  # characters of base64 that are decoded in one go: less than 5 ms
_WHAT = "give the recording in base64, or as a data URL (data:audio/wav;base64,...)"

_DATA_URL = re.compile(
    r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(;[^;,]*?)*?(?P<base64>;base64)?,", re.IGNORECASE | re.ASCII
)
#: The endings of files of these types, without `x-`, where they are not the type's own name.
_ENDINGS = {"mpeg": "mp3", "wave": "wav", "vnd.wave": "wav", "mp4": "m4a", "mp4a-latm": "m4a"}


def content_type(boundary: str) -> str:
    """The header of a form with this boundary, which must not stand in what it parts."""
    return f"multipart/form-data; boundary={boundary}"


def known(name: str, fields: frozenset[str]) -> bool:
    """Whether a key of a job becomes one of these fields of the form, or is the file's name."""
    return name in fields or f"{name}[]" in fields or name == "filename"


def check(body: Mapping[str, Any]) -> None:
    """See that `body` has a recording, before anything is done for it; its base64 is not read yet.

    Raises:
        InvalidInput: `file` is missing or too large, or the name is no text.
    """
    _file(body.get("file"))
    if not isinstance(name := body.get("filename"), str | None):
        raise InvalidInput(f"filename must be a text, not {excerpt.value(name)}", "filename")


def form(body: Mapping[str, Any], boundary: str) -> Iterator[bytes]:
    """The form for `body`, in pieces, so that others have their turn while a large one is made.

    `file` is the recording and `filename` its name. The other fields go as OpenAI's clients send
    them: a list as one field for each value, with `[]` behind its name; true and false as words; an
    object as JSON; null not at all.

    Raises:
        InvalidInput: `file` is missing, no base64 or too large; or a field is no text of UTF-8.
    """
    check(body)
    media, encoded = _file(body["file"])
    for name, value in body.items():
        if name not in ("file", "filename"):
            for field, text in _fields(name, value):
                yield _part(boundary, _disposition(field))
                yield _utf8(text, name)
                yield b"\r\n"
    name = _quoted(body.get("filename") or _filename(media), "filename")
    head = f'{_disposition("file")}; filename="{name}"'
    yield _part(boundary, f"{head}\r\nContent-Type: {media}")
    yield from _decoded(encoded)
    yield f"\r\n--{boundary}--\r\n".encode()


def _part(boundary: str, head: str) -> bytes:
    return f"--{boundary}\r\n{head}\r\n\r\n".encode()


def _disposition(name: str) -> str:
    return f'Content-Disposition: form-data; name="{_quoted(name, name)}"'


def _quoted(text: str, param: str) -> str:
    """As browsers quote names: https://html.spec.whatwg.org/#multipart-form-data."""
    _utf8(text, param)
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _utf8(text: str, param: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        param = param.encode(errors="replace").decode()
        raise InvalidInput(f"{param[:100]} holds half of a character", param[:100]) from None


def _fields(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, list):
        if len(value) > _MOST_VALUES:
            raise InvalidInput(
                f"{excerpt.text(name)} has {len(value)} values, and {_MOST_VALUES} are the most",
                excerpt.text(name),
            )
        name = name if name.endswith("[]") else f"{name}[]"
        yield from ((name, _text(each)) for each in value if each is not None)
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _file(given: Any) -> tuple[str, str]:
    """The recording's type, and its base64."""
    if given in (None, ""):
        raise InvalidInput(f"file is missing: {_WHAT}", "file")
    if not isinstance(given, str):
        raise InvalidInput(f"file must be a text, not {excerpt.value(given)}: {_WHAT}", "file")
    media = "application/octet-stream"
    if given[:5].lower() == "data:":
        head = given[: given.find(",") + 1]
        url = _DATA_URL.fullmatch(head) if len(head) < 1000 else None
        if url is None or not url["base64"]:
            raise InvalidInput(
                f"file is no data URL in base64: {excerpt.value(given)}; {_WHAT}", "file"
            )
        media, given = (url["type"] or media).lower(), given[len(head) :]
    elif "://" in given[:20]:
        raise InvalidInput(
            f"file is an address, {excerpt.value(given)}, and nothing is fetched from it: {_WHAT}",
            "file",
        )
    if any(blank in given for blank in "\n\r \t"):  # lines, as the tool base64 writes them
        given = "".join(given.split())
    if (size := len(given) * 3 // 4) > MOST_BYTES + 2:
        raise InvalidInput(
            f"file has {size / 2**20:.1f} MiB, and {MOST_BYTES / 2**20:.0f} MiB are the most: send"
            " a shorter recording, or one that is compressed",
            "file",
        )
    return media, given


def _decoded(encoded: str) -> Iterator[bytes]:
    for start in range(0, len(encoded), _PIECE):
        piece = encoded[start : start + _PIECE]
        if "=" in piece and start + _PIECE < len(encoded):
            raise InvalidInput(f"file is no base64: it goes on after its end; {_WHAT}", "file")
        try:
            yield binascii.a2b_base64(piece, strict_mode=True)
        except ValueError as reason:  # binascii.Error, or a character that is not ASCII
            raise InvalidInput(f"file is no base64 ({reason}): {_WHAT}", "file") from None


def _filename(media: str) -> str:
    """A name for a recording of this type; vLLM looks at the content alone."""
    kind = media.rpartition("/")[2].removeprefix("x-")
    if media == "application/octet-stream":
        return "audio"
    return f"audio.{_ENDINGS.get(kind, kind)}"
