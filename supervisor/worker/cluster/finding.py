"""Where rank 0 is: its name is looked up beside what it is asked, and never in the way of that."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from functools import partial

from ...command.cluster import addresses
from ...errors import SupervisorError
from ...machine import network
from ...machine.threads import in_thread

#: What a name server says of a name that leads nowhere; a silent one says neither.
_NOBODY = {socket.EAI_NONAME, socket.EAI_NODATA}


class Finding:
    """Knows the addresses of rank 0.

    A name server may be slow or silent while rank 0 answers. So an address counts until another
    look has found a new one or the name is gone, and a look that takes long is left to go on.

    Args:
        name: of rank 0, or its address, which is never looked up.
        own: address of this node, whose family alone leads there; None: any does.
        look: all addresses of a name; blocks, and raises OSError.
    """

    def __init__(
        self,
        name: str,
        own: str | None,
        look: Callable[[str], tuple[str, ...]] = network.addresses,
    ) -> None:
        self.name = name
        self._own = own
        self._look = look
        self._is_name = addresses.parsed(name) is None
        self._known: tuple[str, ...] = () if self._is_name else (name,)
        self._looking: asyncio.Task[None] | None = None
        self._fault = f"no name server has answered yet where {name} is" if self._is_name else ""

    @property
    def fault(self) -> str:
        """What is wrong with the name, as was seen last; empty where it led to addresses."""
        return self._fault

    async def places(self, within: float) -> tuple[str, ...]:
        """Where to ask, the last that answered first; none where nothing is known.

        Args:
            within: seconds to wait for a first look; later ones are not waited for.
        """
        if not self._known:
            await asyncio.wait([self._begin()], timeout=within)
        return self._known

    def answered(self, place: str) -> None:
        """Rank 0 is at this one."""
        self._known = (place, *(each for each in self._known if each != place))

    def look_again(self) -> None:
        """Nothing answers there: rank 0 may have moved."""
        if self._is_name:
            self._begin()

    def _begin(self) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_up())
        return self._looking

    async def _look_up(self) -> None:
        try:
            found = await in_thread(partial(self._look, self.name))
        except OSError as reason:
            self._fault = f"the name {self.name} cannot be resolved ({reason.strerror or reason})"
            if reason.errno in _NOBODY:  # its last address may be another machine's by now
                self._known = ()
            return
        except SupervisorError as reason:
            self._fault = f"the name {self.name} cannot be resolved: {reason}"
            return
        if not (known := alike(found, self._own)):
            self._fault = f"{self.name} is {found[0]}, and this node's own address is {self._own}"
            return
        self._fault = ""
        last = [each for each in self._known[:1] if each in known]
        self._known = (*last, *(each for each in known if each not in last))


def alike(found: tuple[str, ...], own: str | None) -> tuple[str, ...]:
    """Those of the family of `own`; all of them where that is None."""
    if own is None:
        return found
    version = ipaddress.ip_address(own).version
    return tuple(each for each in found if ipaddress.ip_address(each).version == version)
