"""Finds out how the answer to a stream goes on, once its engine was lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.engine.openapi import SchemaLate
from proxy.engine.requests import Engine
from proxy.errors import EngineRestarted, EngineUnavailable, JobError, StreamBroken
from proxy.request.forms import CHAT, Request
from proxy.resume import end, prompt, question, safe, told
from proxy.resume.safe import WHY
from proxy.resume.seam import Seam
from proxy.resume.told import Told
from proxy.settings import CHAT_DEFAULTS, Settings
from proxy.stream.ramp import ANSWER_MOST
from supervisor.link.figures import Unresumed
from supervisor.settings import table

log = logging.getLogger("proxy")

#: Bytes of an answer that are read again at a time, in 2 ms: other streams have their turn.
_AT_ONCE = 64_000

#: Questions that are repeated where an engine ends before it answers: it never had the job.
_AGAIN = 3


class CannotResume(Exception):
    """The answer ends with its engine; `cause` is what the next engine said, if it was that."""

    def __init__(self, reason: Unresumed, cause: JobError | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause

    def told(self, error: EngineRestarted) -> EngineRestarted:
        """`error`, with the reason; as it is where nobody wanted the answer to go on."""
        if self.reason is Unresumed.OFF:
            return error
        cause = f": {self.cause}" if self.cause is not None else ""
        return EngineRestarted(f"{error}; {WHY[self.reason]}{cause}")


@dataclass(frozen=True, slots=True)
class Rest:
    """How an answer goes on.

    Attributes:
        request: asks for the rest; None where only its end is missing.
        seam: joins what comes.
        last: the events of that end.
    """

    request: Request | None
    seam: Seam
    last: Sequence[bytes] = field(default=())


class Resuming:
    """Makes the request for the rest of an answer.

    Args:
        settings: the proxy's.
        engine: counts tokens and says what it takes; each question waits for it.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._on = settings[table.RESUME_STREAMS]
        self._as_text = settings[table.RAW_OPENAI_OUTPUT]
        self._defaults = settings[CHAT_DEFAULTS]
        self._engine = engine

    async def begun(
        self,
        request: Request,
        sent: Sequence[bytes] | None,
        losses: int,
        finish: str | None = None,
    ) -> Told:
        """What came of an answer that can go on, as far as that is known without an engine.

        Args:
            request: as it was sent.
            sent: the outputs so far; None where nobody kept them.
            losses: engines that ended with this job before.
            finish: why the answer ended, where the engine said so and the outputs do not.

        Raises:
            CannotResume: it cannot.
        """
        if not self._on or sent is None:
            raise CannotResume(Unresumed.OFF)
        if sum(map(len, sent)) > ANSWER_MOST:
            raise CannotResume(Unresumed.TOO_LARGE)
        so_far = await self._read(request, sent)
        so_far.finish = so_far.finish or finish
        more = safe.unsafe(request)
        if more is None and (so_far.reasoning or so_far.calls):
            more = Unresumed.REASONING if so_far.reasoning else Unresumed.TOOLS
        if so_far.finish is not None and safe.one_text(request):
            # Whatever it is made of, it is there. The tokens of its text can be counted.
            so_far.counted |= more is not None and end.known(request, so_far) is None
            return so_far
        if losses:
            raise CannotResume(Unresumed.SECOND_LOSS)
        if more is not None:
            raise CannotResume(more)
        return so_far

    async def _read(self, request: Request, sent: Sequence[bytes]) -> Told:
        reader, at_once = told.Reader(native=request.native, as_text=self._as_text), 0
        for output in sent:
            reader.add(output)
            at_once += len(output)
            if at_once >= _AT_ONCE:
                await asyncio.sleep(0)
                at_once = 0
        return reader.finish()

    async def rest(self, request: Request, so_far: Told, *, half_words: bool = False) -> Rest:
        """How the answer goes on; waits for the engine that can say so.

        Args:
            request: as it was sent.
            so_far: what came of its answer.
            half_words: it may go on within a word; see `question.stands_on`.

        Raises:
            CannotResume: it does not.
        """
        try:
            return await self._asked(request, so_far, half_words)
        except CannotResume:
            if so_far.finish is None:
                raise
            return Rest(None, Seam(so_far, "", 0), end.events(request, so_far, None))

    async def _asked(self, request: Request, so_far: Told, half_words: bool) -> Rest:
        """The same; also where the end alone is missing CannotResume is raised."""
        try:
            for _ in range(_AGAIN):
                with contextlib.suppress(StreamBroken, SchemaLate):
                    return await self._known(request, so_far, half_words)
            return await self._known(request, so_far, half_words)
        except EngineUnavailable as fault:
            raise CannotResume(Unresumed.NO_ENGINE, fault) from None
        except StreamBroken:
            raise CannotResume(Unresumed.SECOND_LOSS) from None
        except JobError as fault:
            raise CannotResume(Unresumed.REFUSED, fault) from None

    async def _known(self, request: Request, so_far: Told, half_words: bool) -> Rest:
        if so_far.finish is None:
            await self._may_go_on(request)
        text = question.stands_on(request, so_far.text, half_words=half_words)
        tokens = await self._tokens(request, {"prompt": text, "add_special_tokens": False})
        ahead = so_far.text[len(text) :]
        left = question.left(request, len(tokens))
        if so_far.finish is not None or (left is not None and left < 1):
            usage = await self._usage(request, so_far, len(tokens))
            return Rest(None, Seam(so_far, ahead, len(tokens)), end.events(request, so_far, usage))
        if not text:
            return Rest(request, Seam(so_far, ahead, 0))
        asked = question.rest(request, text, tokens)
        if asked is None:
            raise CannotResume(Unresumed.OTHER)
        before = await self._before(request, so_far)
        if request.route == CHAT and not await self._goes_on(before, asked, tokens):
            raise CannotResume(Unresumed.TEMPLATE)
        counted = so_far.usage.get("prompt_tokens") if so_far.usage is not None else None
        known = counted if isinstance(counted, int) else None if before is None else len(before)
        return Rest(asked, Seam(so_far, ahead, len(tokens), known))

    async def _may_go_on(self, request: Request) -> None:
        """See that the engine reads what is needed, and nothing that is not known here."""
        others, schema = safe.others(request), self._engine.schema_so_far
        if others and schema is None:
            schema = await self._engine.schema(surely=True)
        if not safe.known(request, schema):
            raise CannotResume(Unresumed.VERSION)
        if not safe.ignored(others, request, schema):
            raise CannotResume(Unresumed.OTHER)

    async def _before(self, request: Request, so_far: Told) -> list[int] | None:
        """The prompt's tokens; None where nobody needs to know them."""
        if request.route != CHAT and (so_far.usage or not end.wants_figures(request, so_far)):
            return None
        return await self._tokens(request, prompt.asked(request, self._defaults))

    async def _goes_on(
        self, before: Sequence[int] | None, asked: Request, tokens: Sequence[int]
    ) -> bool:
        """Whether the engine makes one prompt of the question and these tokens of its answer."""
        longer = await self._tokens(asked, prompt.asked(asked, self._defaults))
        return before is not None and prompt.goes_on(before, longer, tokens)

    async def _usage(self, request: Request, so_far: Told, made: int) -> dict[str, Any] | None:
        """The figures that the lost engine did not send any more, where the caller wants them."""
        if not end.wants_figures(request, so_far):
            return None
        if so_far.usage is not None:
            return dict(so_far.usage)
        asked = len(await self._tokens(request, prompt.asked(request, self._defaults)))
        usage = {"prompt_tokens": asked, "completion_tokens": made}
        return {**usage, "total_tokens": asked + made}

    async def _tokens(self, request: Request, asked: dict[str, Any]) -> list[int]:
        """The tokens of a text or of messages, as the engine counts them."""
        text = asked.get("prompt")
        while isinstance(text, list) and len(text) == 1 and type(text[0]) is not int:
            (text,) = text  # of one prompt, which is a prompt by itself
        if text == "":
            return []
        if isinstance(text, list) and all(type(each) is int for each in text):
            return text
        asked = asked if text is None else {**asked, "prompt": text}
        model = {"model": request.body["model"]} if "model" in request.body else {}
        answer = await self._engine.answer(Request("POST", "/tokenize", {**model, **asked}))
        found = answer.get("tokens") if isinstance(answer, dict) else None
        if not isinstance(found, list):
            raise CannotResume(Unresumed.VERSION)
        return found
