"""The routes of the hub."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.hub import ranges
from tests.hub.files import etag, files, row, tree

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_PIECE = 64 * 1024


@dataclass
class Hub:
    """What it serves, how it misbehaves, and what it was asked for.

    `log` has a line for each request, `contents` an object for each of a file's content: who asked
    (`agent`), for what (`repository`, `file`, `range`), `when` it came, and the bytes `sent`.
    """

    folders: dict[str, Path]
    token: str = ""
    gated: bool = False
    break_after: int = 0
    breaks: int = 1
    slow: int = 0
    stall_after: int = 0
    commit: str = COMMIT
    log: list[str] = field(default_factory=list)
    contents: list[dict[str, Any]] = field(default_factory=list)

    def refusal(self, request: web.Request, repository: str, revision: str) -> web.Response | None:
        """What the hub answers to those who may not, or ask for what is not there."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if repository not in self.folders or (self.token and given != self.token):
            return _error(401, "RepoNotFound", "Repository not found")
        if self.gated:
            return _error(403, "GatedRepo", "Access to this repository is restricted")
        if revision not in {"main", self.commit}:
            return _error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return None


def application(hub: Hub) -> web.Application:
    """A server of `hub`."""

    async def shown_log(_request: web.Request) -> web.StreamResponse:
        return web.json_response(hub.log)

    async def shown_contents(_request: web.Request) -> web.StreamResponse:
        return web.json_response(hub.contents)

    routes = Routes(hub)
    made = web.Application()
    name = "{repository:[^/]+/[^/]+}"
    revision = "{revision}"
    made.add_routes(
        [
            web.get("/_hub/log", shown_log),
            web.get("/_hub/contents", shown_contents),
            web.get(f"/api/models/{name}/revision/{revision}", routes.info),
            web.get(f"/api/models/{name}/tree/{revision}", routes.tree),
            web.get(f"/api/models/{name}/tree/{revision}/{{path:.*}}", routes.tree),
            web.post(f"/api/models/{name}/paths-info/{revision}", routes.paths),
            web.get(f"/api/models/{name}", routes.info),
            web.get(f"/{name}/resolve/{revision}/{{file:.+}}", routes.content),
        ]
    )
    return made


class Routes:
    """What is asked of a repository."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def info(self, request: web.Request) -> web.StreamResponse:
        """The repository, and its files."""
        repository = request.match_info["repository"]
        revision = request.match_info.get("revision") or "main"
        self._hub.log.append(f"info {repository} {revision}")
        if (refused := self._hub.refusal(request, repository, revision)) is not None:
            return refused
        siblings = [
            {"rfilename": name, "size": path.stat().st_size, "blobId": etag(path)}
            for name, path in files(self._hub.folders[repository]).items()
        ]
        body = {"id": repository, "modelId": repository, "sha": self._hub.commit}
        more = {"siblings": siblings, "private": bool(self._hub.token), "tags": []}
        return web.json_response({**body, **more})

    async def tree(self, request: web.Request) -> web.StreamResponse:
        """The files of a folder."""
        repository, under = request.match_info["repository"], request.match_info.get("path", "")
        revision = request.match_info["revision"]
        self._hub.log.append(f"tree {repository} {under}".rstrip())
        if (refused := self._hub.refusal(request, repository, revision)) is not None:
            return refused
        recursive = request.query.get("recursive", "").lower() in {"true", "1"}
        rows = tree(self._hub.folders[repository], under, recursive=recursive)
        if rows is None:
            return _error(404, "EntryNotFound", f"{under} does not exist on {revision}")
        return web.json_response(rows)

    async def paths(self, request: web.Request) -> web.StreamResponse:
        """Those of the files that are named which are there."""
        repository = request.match_info["repository"]
        revision = request.match_info["revision"]
        if (refused := self._hub.refusal(request, repository, revision)) is not None:
            return refused
        there = files(self._hub.folders[repository])
        named = [str(name) for name in (await request.post()).getall("paths", [])]
        return web.json_response([row(name, there[name]) for name in named if name in there])

    async def content(self, request: web.Request) -> web.StreamResponse:
        """A file, or a part of it."""
        hub = self._hub
        repository, name = request.match_info["repository"], request.match_info["file"]
        wanted = request.headers.get("Range", "")
        hub.log.append(f"{request.method} {repository} {name} {wanted}".rstrip())
        revision = request.match_info["revision"]
        if (refused := hub.refusal(request, repository, revision)) is not None:
            return refused
        path = files(hub.folders[repository]).get(name)
        if path is None:
            return _error(404, "EntryNotFound", f"{name} is not there")
        data = path.read_bytes()
        headers = {
            "ETag": f'"{etag(path)}"',
            "X-Repo-Commit": hub.commit,
            "Accept-Ranges": "bytes",
            "X-Linked-Size": str(len(data)),
            "X-Linked-ETag": f'"{etag(path)}"',
        }
        try:
            part = ranges.asked(wanted, len(data)) if request.method == "GET" else None
        except ValueError:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        start, end = part or (0, len(data))
        if part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        response = web.StreamResponse(status=206 if part else 200, headers=headers)
        response.content_length = end - start
        await response.prepare(request)
        if request.method == "GET":
            await self._send(request, response, data[start:end])
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, data: bytes) -> None:
        hub = self._hub
        agent = request.headers.get("User-Agent", "")
        seen: dict[str, Any] = {
            "repository": request.match_info["repository"],
            "file": request.match_info["file"],
            "range": request.headers.get("Range", ""),
            "agent": agent,
            "when": time.time(),
            "sent": 0,
        }
        hub.contents.append(seen)
        breaks = 0 < hub.break_after < len(data) and hub.breaks > 0
        hub.breaks -= breaks
        end = hub.break_after if breaks else len(data)
        while seen["sent"] < end:
            piece = data[seen["sent"] : min(end, seen["sent"] + _PIECE)]
            await response.write(piece)
            seen["sent"] += len(piece)
            if hub.slow:
                await asyncio.sleep(len(piece) / hub.slow)
            if 0 < hub.stall_after <= seen["sent"]:
                await asyncio.Event().wait()
        if breaks and request.transport is not None:
            request.transport.abort()


def _error(status: int, code: str, message: str) -> web.Response:
    headers = {"X-Error-Code": code, "X-Error-Message": message}
    return web.json_response({"error": message}, status=status, headers=headers)
