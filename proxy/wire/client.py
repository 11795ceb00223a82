"""Requests to one server, whose answers are read as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from proxy.wire.answer import Answer
from proxy.wire.pool import Pool, Unreachable, request

_CONNECT_WITHIN = 5.0  # seconds


class Client:
    """Sends requests to one server. Used inside one event loop.

    Args:
        url: of the server, without a slash at the end.
        headers: of every request.
        silence: seconds without a byte after which an answer that is waited for has failed.
        kept: seconds for which an idle connection is used again.
        named: makes the errors that are raised, of OSErrors: `pool.Unreachable`,
            `connection.StaleConnection`, TimeoutError, ConnectionError.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        silence: float,
        kept: float,
        named: Callable[[OSError], Exception] = lambda reason: reason,
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        self._named = named
        origin, _ = request("GET", url, {})
        self._pool = Pool(origin, lambda: Answer(silence, named), kept, _CONNECT_WITHIN)

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        kind: str = "",
        headers: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> Answer:
        """Send a request; returns its answer once the head of that has come. Give it to `end`.

        Args:
            method: of the request.
            path: on the server.
            body: of the request.
            kind: its content type.
            headers: of this request alone.
            fresh: no connection that was used before: where one was lost, all idle ones may be.

        Raises:
            Exception: as `named` makes them.
        """
        if fresh:
            self._pool.drop_idle()
        try:
            answer = await self._pool.taken()
        except Unreachable as reason:
            raise self._named(reason) from reason
        try:
            await answer.ask(self._head(method, path, kind, headers or {}), body)
        except BaseException:
            self._pool.drop(answer)
            raise
        return answer

    def end(self, answer: Answer) -> None:
        """Keep an answer's connection if all of it was read; otherwise close it."""
        if answer.ended:
            self._pool.put_back(answer)
        else:
            self._pool.drop(answer)

    def thawed(self) -> None:
        """The process stood still: idle connections are closed, silence is counted anew."""
        self._pool.thawed()

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def _head(self, method: str, path: str, kind: str, own: Mapping[str, str]) -> bytes:
        headers = {**self._headers, **({"Content-Type": kind} if kind else {}), **own}
        return request(method, self._url + path, headers)[1]
