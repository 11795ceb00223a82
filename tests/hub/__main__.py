"""`python -m tests.hub --port N --repository NAME=FOLDER [...]`: a hub on the loopback.

--token T         private: without `Authorization: Bearer T` a repository does not exist
--gated           with it, one has not accepted the licence
--break-after N   the first `--breaks` answers with a file's content end after N bytes
--slow N          bytes a second of each file's content
--commit C        what main is
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_PIECE = 64 * 1024


@dataclass
class Hub:
    """What it serves, and how it misbehaves."""

    folders: dict[str, Path]
    token: str = ""
    gated: bool = False
    break_after: int = 0
    breaks: int = 1
    slow: int = 0
    commit: str = COMMIT
    log: list[str] = field(default_factory=list)

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


def _error(status: int, code: str, message: str) -> web.Response:
    headers = {"X-Error-Code": code, "X-Error-Message": message}
    return web.json_response({"error": message}, status=status, headers=headers)


def _files(folder: Path) -> dict[str, Path]:
    return {
        str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()
    }


def application(hub: Hub) -> web.Application:
    """The routes of the hub."""

    async def info(request: web.Request) -> web.StreamResponse:
        repository = request.match_info["repository"]
        revision = request.match_info.get("revision") or "main"
        hub.log.append(f"info {repository} {revision}")
        if (refused := hub.refusal(request, repository, revision)) is not None:
            return refused
        siblings = [
            {"rfilename": name, "size": path.stat().st_size, "blobId": _etag(path)}
            for name, path in _files(hub.folders[repository]).items()
        ]
        body = {"id": repository, "modelId": repository, "sha": hub.commit, "siblings": siblings}
        return web.json_response({**body, "private": bool(hub.token), "tags": []})

    async def tree(request: web.Request) -> web.StreamResponse:
        repository = request.match_info["repository"]
        if (
            refused := hub.refusal(request, repository, request.match_info["revision"])
        ) is not None:
            return refused
        rows: list[dict[str, Any]] = [
            {"type": "file", "path": name, "size": path.stat().st_size, "oid": _etag(path)}
            for name, path in _files(hub.folders[repository]).items()
        ]
        return web.json_response(rows)

    async def content(request: web.Request) -> web.StreamResponse:
        repository, name = request.match_info["repository"], request.match_info["file"]
        hub.log.append(f"{request.method} {repository} {name}")
        if (
            refused := hub.refusal(request, repository, request.match_info["revision"])
        ) is not None:
            return refused
        path = _files(hub.folders[repository]).get(name)
        if path is None:
            return _error(404, "EntryNotFound", f"{name} is not there")
        data = path.read_bytes()
        headers = {
            "ETag": f'"{_etag(path)}"',
            "X-Repo-Commit": hub.commit,
            "Accept-Ranges": "bytes",
            "X-Linked-Size": str(len(data)),
        }
        start = 0
        if wanted := request.headers.get("Range", "").removeprefix("bytes="):
            start = int(wanted.split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        response = web.StreamResponse(status=206 if wanted else 200, headers=headers)
        response.content_length = len(data) - start
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        breaks = 0 < hub.break_after < len(data) - start and hub.breaks > 0
        hub.breaks -= breaks
        end = start + hub.break_after if breaks else len(data)
        while start < end:
            piece = data[start : min(end, start + _PIECE)]
            await response.write(piece)
            start += len(piece)
            if hub.slow:
                await asyncio.sleep(len(piece) / hub.slow)
        if breaks and request.transport is not None:
            request.transport.abort()
        return response

    async def shown(_request: web.Request) -> web.StreamResponse:
        return web.json_response(hub.log)

    made = web.Application()
    name = "{repository:[^/]+/[^/]+}"
    made.add_routes(
        [
            web.get("/_hub/log", shown),
            web.get(f"/api/models/{name}/revision/{{revision}}", info),
            web.get(f"/api/models/{name}/tree/{{revision}}", tree),
            web.get(f"/api/models/{name}", info),
            web.get(f"/{name}/resolve/{{revision}}/{{file:.+}}", content),
        ]
    )
    return made


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--repository", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--token", default="")
    parser.add_argument("--gated", action="store_true")
    parser.add_argument("--break-after", type=int, default=0)
    parser.add_argument("--breaks", type=int, default=1)
    parser.add_argument("--slow", type=int, default=0)
    parser.add_argument("--commit", default=COMMIT)
    asked = parser.parse_args(arguments)
    pairs = (text.split("=", 1) for text in asked.repository)
    hub = Hub(
        {name: Path(folder) for name, folder in pairs},
        asked.token,
        asked.gated,
        asked.break_after,
        asked.breaks,
        asked.slow,
        asked.commit,
    )
    web.run_app(application(hub), host="127.0.0.1", port=asked.port, print=None)


if __name__ == "__main__":
    main(sys.argv[1:])
