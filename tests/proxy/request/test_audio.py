"""The multipart form of a recording; read by aiohttp's parser, which is not ours."""

from __future__ import annotations

import base64
import json
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import InvalidInput
from proxy.request import audio

SOUND = b"RIFF\x00\xff\r\n--edge--\r\n" * 7
TEXT = base64.b64encode(SOUND).decode()


def parts(body: dict[str, Any]) -> list[Message]:
    """The parts of the form, by the standard library's parser of mail."""
    header = f"Content-Type: {audio.content_type('edge0')}\r\n\r\n".encode()
    message = message_from_bytes(header + b"".join(audio.form(body, "edge0")))
    return [part for part in message.walk() if not part.is_multipart()]


def fields(body: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Name and value of each field beside the file."""
    return [
        (part.get_param("name", header="Content-Disposition"), part.get_payload())
        for part in parts({"file": TEXT, **body})
        if part.get_filename() is None
    ]


def file(body: dict[str, Any]) -> tuple[str | None, str, bytes]:
    """Name, type and bytes of the recording."""
    raw = b"".join(audio.form(body, "edge0"))
    head, _, rest = raw.partition(b"filename=")[2].partition(b"\r\n\r\n")
    name, _, kind = head.partition(b"\r\n")
    data = rest.removesuffix(b"\r\n--edge0--\r\n")
    return name.decode().strip('"'), kind.decode().removeprefix("Content-Type: "), data


def test_the_recording_is_the_same_to_the_byte() -> None:
    assert file({"file": TEXT}) == ("audio", "application/octet-stream", SOUND)
    lines = base64.encodebytes(SOUND).decode()
    assert file({"file": lines})[2] == SOUND


@pytest.mark.parametrize(
    ("url", "name", "kind"),
    [
        ("data:audio/wav;base64,", "audio.wav", "audio/wav"),
        ("data:audio/x-wav;base64,", "audio.wav", "audio/x-wav"),
        ("DATA:Audio/MPEG;Base64,", "audio.mp3", "audio/mpeg"),
        ("data:audio/webm;codecs=opus;base64,", "audio.webm", "audio/webm"),
        ("data:video/mp4;base64,", "audio.m4a", "video/mp4"),
        ("data:;base64,", "audio", "application/octet-stream"),
    ],
)
def test_a_data_url_tells_the_type(url: str, name: str, kind: str) -> None:
    assert file({"file": url + TEXT}) == (name, kind, SOUND)


def test_the_name_of_the_file_can_be_given() -> None:
    assert file({"file": TEXT, "filename": 'my "töne".flac'})[0] == "my %22töne%22.flac"
    assert ("filename", "x") not in fields({"filename": "x"})


def test_fields_go_as_openais_clients_send_them() -> None:
    body = {
        "model": "whisper",
        "language": None,
        "temperature": 0.2,
        "stream": True,
        "stream_include_usage": False,
        "top_k": 5,
        "timestamp_granularities": ["word", "segment"],
        "include[]": ["logprobs"],
        "vllm_xargs": {"a": [1, "ü"]},
    }
    *plain, (xargs, value) = fields(body)
    assert plain == [
        ("model", "whisper"),
        ("temperature", "0.2"),
        ("stream", "true"),
        ("stream_include_usage", "false"),
        ("top_k", "5"),
        ("timestamp_granularities[]", "word"),
        ("timestamp_granularities[]", "segment"),
        ("include[]", "logprobs"),
    ]
    assert xargs == "vllm_xargs"
    assert '"a"' in value


@pytest.mark.parametrize(
    ("name", "known"),
    [("language", True), ("timestamp_granularities", True), ("filename", True), ("langage", False)],
)
def test_which_keys_become_fields(name: str, known: bool) -> None:
    assert audio.known(name, frozenset({"language", "timestamp_granularities[]"})) == known


def test_a_name_cannot_begin_a_part_of_its_own() -> None:
    raw = b"".join(audio.form({"file": TEXT, 'x"\r\n\r\n--edge0': "y", "filename": "a\r\nb"}, "e"))
    assert b'name="x%22%0D%0A%0D%0A--edge0"' in raw
    assert b'filename="a%0D%0Ab"' in raw


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "file is missing"),
        ({"file": None}, "file is missing"),
        ({"file": 5}, "file must be a text, not 5"),
        ({"file": {"data": "x"}}, "file must be a text, not {'data': 'x'}"),
        ({"file": "hello world!"}, "file is no base64"),
        ({"file": "QUJ"}, "file is no base64"),
        ({"file": "QUI=QUI="}, "file is no base64"),
        ({"file": "\N{SNOWMAN}" * 4}, "file is no base64"),
        ({"file": "\ud83d" * 4}, "file is no base64"),
        ({"file": "=" * 2_000_000}, "file is no base64"),
        ({"file": "https://x.example/a.wav"}, "file is an address"),
        ({"file": "data:audio/wav,RIFF"}, "file is no data URL in base64"),
        ({"file": "data:nothing"}, "file is no data URL in base64"),
        ({"file": "data:" + ";a" * 400 + ",AAAA"}, "file is no data URL in base64"),
    ],
    ids=lambda value: str(value)[:30].encode("ascii", "replace").decode(),
)
def test_what_is_no_recording_is_refused_with_a_sentence(body: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        list(audio.form(body, "edge0"))
    assert said in str(caught.value)
    assert caught.value.param == "file"
    assert len(str(caught.value)) < 300


def test_a_recording_that_is_too_large_is_refused_before_it_is_read() -> None:
    large = "A" * (26 * 2**20 // 3 * 4)
    with pytest.raises(InvalidInput, match=r"26\.0 MiB, and 25 MiB are the most") as caught:
        list(audio.form({"file": large}, "edge0"))
    assert caught.value.param == "file"
    pieces = list(audio.form({"file": large[: audio.MOST_BYTES // 3 * 4]}, "edge0"))
    assert max(map(len, pieces)) < 1_000_000, "each piece is made in a few milliseconds"
    assert sum(map(len, pieces)) > audio.MOST_BYTES - 3


@pytest.mark.parametrize(
    ("body", "param"),
    [({"prompt": "\ud800"}, "prompt"), ({"filename": "\ud800"}, "filename"), ({"\ud800": 1}, "?")],
)
def test_half_a_character_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        list(audio.form({"file": TEXT, **body}, "edge0"))
    assert caught.value.param == param
    json.dumps(caught.value.as_object()).encode()


@pytest.mark.parametrize("name", [5, ["a"], True])
def test_a_name_is_a_text(name: Any) -> None:
    with pytest.raises(InvalidInput, match="filename must be a text") as caught:
        list(audio.form({"file": TEXT, "filename": name}, "edge0"))
    assert caught.value.param == "filename"


@given(data=st.binary(max_size=5000), cut=st.integers(1, 76))
def test_any_recording_arrives_whole(data: bytes, cut: int) -> None:
    text = base64.b64encode(data).decode()
    lines = "\r\n".join(text[start : start + cut] for start in range(0, len(text), cut))
    assert file({"file": f"data:audio/ogg;base64,{lines}"})[2] == data
