"""A follower's end of the nodes' channel: says how it stands, and asks what is to be done."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from ...command.cluster.likeness import Identity, one_line
from ..lifecycle import Event, ExitCode, Following, Ordered, State, StopAll, Unheard
from ..lifecycle.cluster import talk
from . import timing, wire
from .finding import Finding

_WRONG_TOKEN = "CLUSTER_TOKEN differs from rank 0's; set the same on all nodes"


class Asking:
    """Asks rank 0.

    Args:
        rank_0: knows its addresses.
        url: what is asked: `http://HOST:PORT/cluster`, whatever the address of HOST.
        token: that it asks for; may be empty.
        address: of this node, from which is asked; None: the one that leads there.
        identity: looks at what this node would run; it is told whether the model has come.
        state: of this worker.
        put: takes `Ordered` and `Unheard`.
    """

    def __init__(
        self,
        rank_0: Finding,
        url: str,
        token: str,
        address: str | None,
        identity: Callable[[bool], Awaitable[Identity]],
        state: State,
        put: Callable[[Event], None],
    ) -> None:
        self._rank_0 = rank_0
        self._url = httpx.URL(url)
        self._headers = {"Host": self._url.netloc.decode()}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._address = address
        self._look = identity
        self._identity: Mapping[str, Any] = {}
        self._state = state
        self._put = put
        self._run = secrets.token_hex(8)
        self._seen: Mapping[str, Any] | None = None
        self._said: Mapping[str, Any] = {}
        self._changed = asyncio.Event()  # what is to be said is not what was said
        self._taken = asyncio.Event()  # what was heard has been taken in

    async def begin(self) -> None:
        """Look at what is told of this node."""
        self._identity = (await self._look(False)).to_json()

    async def identify(self) -> None:
        """Look again: the model has come."""
        self._identity = (await self._look(True)).to_json()

    def publish(self, state: State) -> None:
        """Say `state` from now on, and at once where that is something new."""
        self._state = state
        self._taken.set()
        if self._question() != self._said:
            self._changed.set()

    async def run(self) -> None:
        """Ask until it is cancelled."""
        async with self._client() as client:
            while True:
                self._changed.clear()
                self._said = self._question()
                asking = asyncio.ensure_future(self._ask(client))
                changed = asyncio.ensure_future(self._changed.wait())
                try:
                    await asyncio.wait({asking, changed}, return_when=asyncio.FIRST_COMPLETED)
                    if asking.done():
                        await self._take(asking.result())
                finally:
                    changed.cancel()
                    asking.cancel()

    def asked_to_stop(self) -> None:
        """The last word of a follower waits for nobody."""

    async def close(self) -> None:
        """Say that it is over, where somebody may hear it, and wait for no answer."""
        if self._seen is None or self._seen.get("order") == "stop":
            return
        self._said = self._question()
        with contextlib.suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(timing.RETRY), self._client() as client:
                for place in (await self._rank_0.places(0.0))[:1]:  # where it answered
                    await self._post(client, place, seen=None)

    async def _take(self, heard: Ordered | Unheard) -> None:
        self._taken.clear()
        self._put(heard)
        await self._taken.wait()  # so that the next question knows of it
        if isinstance(heard, Unheard):
            self._seen = None
            await asyncio.sleep(timing.RETRY)
        else:
            self._seen = wire.answer(heard)

    async def _ask(self, client: httpx.AsyncClient) -> Ordered | Unheard:
        causes = []
        for place in await self._rank_0.places(timing.CONNECT):
            heard = await self._ask_at(client, place)
            if isinstance(heard, Ordered):
                self._rank_0.answered(place)
                return heard
            causes.append(heard.cause)
        if causes:
            self._rank_0.look_again()
        if fault := self._rank_0.fault:
            causes.append(fault)
        return Unheard("; ".join(causes))

    async def _ask_at(self, client: httpx.AsyncClient, place: str) -> Ordered | Unheard:
        try:
            answer = await self._post(client, place, self._seen)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                return Ordered(StopAll(ExitCode.CONFIGURATION, _WRONG_TOKEN))
            if answer.status_code != httpx.codes.OK:
                return Unheard(f"it answered {answer.status_code}")
            return wire.read_answer(answer.content)
        except (httpx.ConnectTimeout, httpx.ConnectError) as fault:
            where = "" if place == self._rank_0.name else f" to {place}"
            return Unheard(f"cannot connect{where}" + (f" ({fault})" if str(fault) else ""))
        except httpx.HTTPError as fault:  # h11 quotes what was sent
            return Unheard(one_line(str(fault) or type(fault).__name__)[:200])
        except ValueError as reason:
            return Unheard(f"what it answered is not understood: {one_line(str(reason))[:200]}")

    async def _post(
        self, client: httpx.AsyncClient, place: str, seen: Mapping[str, Any] | None
    ) -> httpx.Response:
        return await client.post(self._url.copy_with(host=place), json={**self._said, "seen": seen})

    def _question(self) -> dict[str, Any]:
        group = self._state.group
        if not isinstance(group, Following):
            return {}
        reported = talk.report(self._state, group, self._run)
        return wire.question(wire.Asked(reported, group.size, self._identity))

    def _client(self) -> httpx.AsyncClient:
        """Never by a proxy of the environment: the nodes are beside each other."""
        return httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(local_address=self._address, verify=False),
            headers=self._headers,
            timeout=httpx.Timeout(timing.CONNECT, read=timing.HOLD + timing.ANSWER),
            trust_env=False,
        )
