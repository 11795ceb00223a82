"""What is recorded: reads the multipart form of the audio routes, and says what was in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from .generation import Refusal
from .wire import json_text


@dataclass
class Form:
    """The file of a form, and its fields in their order."""

    name: str = ""
    kind: str = ""
    data: bytes = b""
    fields: list[tuple[str, str]] = field(default_factory=list)

    def __getitem__(self, name: str) -> str | None:
        return next((value for each, value in self.fields if each == name), None)

    def answer(self) -> dict[str, Any]:
        """What is told of it."""
        digest = hashlib.sha256(self.data).hexdigest()
        file = {"name": self.name, "type": self.kind, "bytes": len(self.data), "sha256": digest}
        text = f"{len(self.data)} bytes of sound"
        usage = {"type": "duration", "seconds": 1}
        return {"text": text, "usage": usage, "file": file, "fields": self.fields}


async def read(request: web.Request, names: list[str]) -> Form:
    """The form of a request; what is no form, or has no file, is refused as vLLM does it."""
    if request.content_type != "multipart/form-data":
        raise Refusal(400, "1 validation error:\n  'body.file': Field required", "body.file")
    form, file = Form(), False
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        if part.filename is not None and part.name == "file":
            form.name, form.kind = part.filename, part.headers.get("Content-Type", "")
            form.data, file = bytes(await part.read()), True
        else:
            form.fields.append((part.name or "", await part.text()))
    if not file:
        raise Refusal(400, "1 validation error:\n  'body.file': Field required", "body.file")
    if (model := form["model"]) and model not in names:
        raise Refusal(404, f"The model `{model}` does not exist.")
    return form


async def answer(request: web.Request, names: list[str]) -> web.StreamResponse:
    """One object; or, where the form says `stream`, an event for each word and one at the end."""
    form = await read(request, names)
    if form["stream"] != "true":
        return web.json_response(form.answer(), dumps=json_text)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    for word in str(form.answer()["text"]).split():
        choice = {"delta": {"content": f"{word} "}, "finish_reason": None}
        chunk = {"object": "transcription.chunk", "model": form["model"], "choices": [choice]}
        await response.write(f"data: {json_text(chunk)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response
