"""Rank 0's end of the nodes' channel: answers each follower's question with what it is to do."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ...command.cluster.likeness import Identity, differences, one_line
from ...errors import MachineRefused
from ...machine import ports
from ...settings import table
from ..control.connection import Connection
from ..control.crowd import Crowd
from ..control.listener import Listener, listen
from ..control.message import Answer, Question
from ..lifecycle import Doing, Event, ExitCode, Leading, Ordered, Reported, State, StopAll
from ..lifecycle.cluster import talk
from ..process import descriptors
from . import timing, wire

log = logging.getLogger("supervisor")

PATH = "/cluster"
QUESTION_MOST = 64 * 1024  # bytes; the options of an engine are some thousand
_CONNECTIONS_MOST = 256  # of which strangers without a token may fill some memory
_POLL = 0.05  # seconds
_REASON_MOST = 200  # characters
_TOLD_MOST = 16  # addresses of which it is logged that they know another token


class Hearing:
    """Answers followers.

    Args:
        address: where it listens, and nowhere else.
        port: likewise; CLUSTER_PORT.
        token: that followers send; empty: none is asked for.
        identity: looks at what this node would run, and so all of them; it is told whether the
            model has come.
        state: of this worker.
        put: takes `Reported`.
    """

    def __init__(
        self,
        address: str,
        port: int,
        token: str,
        identity: Callable[[bool], Awaitable[Identity]],
        state: State,
        put: Callable[[Event], None],
    ) -> None:
        self._address = address
        self._port = port
        self._token = token.encode()
        self._look = identity
        self._identity: Identity | None = None
        self._prepared = False  # it has its model, so that commits can be compared
        self._asked: dict[int, wire.Asked] = {}  # the last of each rank that could be one of us
        self._state = state
        self._put = put
        self._changed = asyncio.Event()
        self._told: dict[str, int] = {}  # runs that know that it is over, and their ranks
        self._asked_to_stop = False
        self._strangers: set[str] = set()
        self._listener: Listener | None = None

    async def begin(self) -> None:
        """Look at what this node would run, and listen.

        Raises:
            MachineRefused: that cannot be.
        """
        self._identity = await self._look(False)
        try:
            sockets = await listen(self._address, self._port)
        except OSError as reason:
            raise MachineRefused(self._refusal(reason)) from None
        crowd = Crowd(descriptors.spared(_CONNECTIONS_MOST))
        self._listener = Listener(
            sockets,
            lambda: Connection(self, crowd, QUESTION_MOST),
            crowd,
            asyncio.get_running_loop(),
        )

    async def identify(self) -> None:
        """The model has come: look again, and compare that with what others have said."""
        self._identity = await self._look(True)
        self._prepared = True
        group = self._state.group
        for asked in self._asked.values():
            if isinstance(group, Leading) and (said := self._compared(asked, group.size)).wrong:
                self._put(said)

    async def run(self) -> None:
        """It answers by itself."""

    def publish(self, state: State) -> None:
        """Answer by `state` from now on, also those that wait."""
        self._state = state
        self._changed.set()
        self._changed = asyncio.Event()

    async def close(self) -> None:
        """Tell the followers that it is over, and end."""
        if self._listener is None:
            return
        group, code = self._state.group, self._state.exit_code
        if isinstance(group, Leading) and code is not None:
            await self._until_told(group, code)
        listener, self._listener = self._listener, None
        await listener.close()

    def asked_to_stop(self) -> None:
        """The last word waits for no follower that may still come; at its time for none at all."""
        self._asked_to_stop = True

    async def _until_told(self, group: Leading, code: ExitCode) -> None:
        """Until the followers know that it is over, in time or before another stop."""
        all_of_them = code == ExitCode.CONFIGURATION and not self._asked_to_stop
        self._asked_to_stop = False  # the stop before this has been obeyed
        within = timing.LAST_WORDS_TO_ALL if all_of_them else timing.LAST_WORDS
        until = time.monotonic() + within
        runs = {node.run for node in group.nodes.values()}
        wanted = set(range(1, group.size)) if all_of_them else set()
        while time.monotonic() < until and not self._asked_to_stop:
            # One that is restarted is another run of the same rank.
            if runs <= self._told.keys() and wanted <= set(self._told.values()):
                return
            await asyncio.sleep(_POLL)

    def __call__(self, question: Question) -> Answer | asyncio.Future[Answer]:
        """The answer, or what has to be awaited for it."""
        if question.path != PATH:
            return Answer.error(404, f"there is {PATH} here")
        if question.method != "POST":
            return Answer.error(405, "followers POST here", "Allow: POST")
        if not self._may_ask(question):
            return Answer.error(401, "CLUSTER_TOKEN differs", "WWW-Authenticate: Bearer")
        group = self._state.group
        if not isinstance(group, Leading):
            return Answer.error(503, "this is not rank 0 of several nodes")
        try:
            asked = wire.read_question(question.body, question.peer)
        except ValueError as reason:
            why = one_line(str(reason))[:_REASON_MOST]
            return Answer.error(400, f"this is no question of a follower: {why}")
        return asyncio.ensure_future(self._answer(asked, group.size))

    async def _answer(self, asked: wire.Asked, size: int) -> Answer:
        said = self._compared(asked, size)
        self._put(said)
        if said.wrong:
            self._told[said.run] = said.rank
            return Answer.json(wire.answer(Ordered(StopAll(ExitCode.CONFIGURATION, said.wrong))))
        self._asked[said.rank] = asked
        until = time.monotonic() + timing.HOLD
        while True:
            changed = self._changed
            ordered = self._ordered(said)
            if (body := wire.answer(ordered)) != asked.seen or time.monotonic() >= until:
                if isinstance(ordered.order, StopAll):
                    self._told[said.run] = said.rank
                return Answer.json(body)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(until - time.monotonic()):
                    await changed.wait()

    def _ordered(self, said: Reported) -> Ordered:
        state, group = self._state, self._state.group
        if not isinstance(group, Leading):
            return Ordered(StopAll(ExitCode.UNEXPECTED))
        order = talk.order(state, group, said.rank, said.run)
        return Ordered(order, str(state.phase), talk.absent(state, group))

    def _compared(self, asked: wire.Asked, size: int) -> Reported:
        """What a follower has said, with why it cannot be one of these nodes where it cannot."""
        said = wire.without_secrets(asked.reported)
        who = f"rank {said.rank} ({said.address})"
        if asked.size != size:
            theirs = f"{who} has NUM_NODES={asked.size}"
            wrong = f"{theirs}, rank 0 has {size}; set the same on all nodes"
            return replace(said, wrong=wrong, foreign=True)
        if not 0 < said.rank < size:
            wrong = f"{who} is not one of 1 to {size - 1}; correct its NODE_RANK"
            return replace(said, wrong=wrong, foreign=True)
        return replace(said, wrong=self._unlike(asked, who))

    def _unlike(self, asked: wire.Asked, who: str) -> str:
        """What keeps it from serving one model with this node; empty where nothing does."""
        said = asked.reported
        try:
            theirs = Identity.from_json(asked.identity)
        except ValueError as reason:
            return f"{who} {reason}; use one image"
        theirs = replace(theirs, rank=said.rank, address=said.address)
        ours = self._identity or theirs
        # A node that still downloads has a commit later, and perhaps the files of an old one now.
        prepared = self._prepared and said.doing is not Doing.PREPARING
        return differences(ours, theirs, prepared=prepared) or ""

    def _may_ask(self, question: Question) -> bool:
        scheme, _, given = question.authorization.partition(b" ")
        sent = given.strip() if scheme.lower() == b"bearer" else b""
        if hmac.compare_digest(sent, self._token):
            return True
        if question.peer not in self._strangers and len(self._strangers) < _TOLD_MOST:
            self._strangers.add(question.peer)
            name = table.CLUSTER_TOKEN.name
            log.warning("%s asks with another %s, and is refused", question.peer, name)
        return False

    def _refusal(self, reason: OSError) -> str:
        where = f"{self._address}:{self._port}"
        if reason.errno == errno.EADDRINUSE:
            taken = f"the nodes' channel {where} is taken by {ports.owner(self._port)}"
            return f"{taken}; set {table.CLUSTER_PORT.name} to a free port on all nodes"
        remedy = f"set {table.NODE_ADDR.name} to an address of this machine"
        return f"the nodes' channel cannot listen on {where}: {reason.strerror}; {remedy}"
