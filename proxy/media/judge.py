"""Lets a request pass, or ends its job: the engine fetches any address that it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from proxy import excerpt
from proxy.errors import InvalidInput, LookupTooLate
from proxy.media import address, networks, places
from proxy.media.address import Address
from proxy.media.lookup import Lookup, TooLate
from proxy.media.places import Place
from proxy.request import audio
from proxy.request.forms import Request
from proxy.settings import LOCAL_MEDIA, Settings
from supervisor.settings import table

_MOST_HOSTS = 64  # of one job
#: Names of this machine and of private networks, also where nobody here resolves them.
_NEVER_PUBLIC = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa")

_DATA = "send the data itself (data:image/png;base64,...)"


class Judge:
    """Judges the addresses of media in requests.

    Args:
        settings: the proxy's.
        lookup: finds the addresses of a name.
    """

    def __init__(self, settings: Settings, lookup: Lookup | None = None) -> None:
        self._files = bool(settings[LOCAL_MEDIA])
        self._listed = settings[table.ALLOWED_MEDIA_DOMAINS]
        self._private = settings[table.MEDIA_PRIVATE]
        self._detour = settings.detour
        self._lookup = lookup or Lookup()

    async def check(self, request: Request) -> None:
        """See that the engine may fetch from each address in a request.

        Raises:
            InvalidInput: it may not from one; names the field and the host, and never what the
                name leads to, or whether it does.
            LookupTooLate: nobody told in time where one leads.
        """
        if request.route in audio.ROUTES:
            return  # a form, which has the recording itself
        unknown: dict[str, Place] = {}
        for place in places.named(request.body):
            if place is None:
                await asyncio.sleep(0)
                continue
            leads = self._read(place)
            if leads is not None and not self._private and self._needs_look(leads, place):
                unknown.setdefault(leads.host, place)
            if len(unknown) > _MOST_HOSTS:
                raise InvalidInput(
                    f"the job names media of more than {_MOST_HOSTS} hosts: send several jobs, or"
                    f" {_DATA}",
                    place.field,
                )
        if unknown:
            await self._look(unknown)

    def _read(self, place: Place) -> Address | None:
        """Where an address leads; None where that is not to a network."""
        text = place.text
        if address.is_data(text) or (self._files and address.is_file(text)):
            return None
        if address.is_file(text):
            raise InvalidInput(
                f"{place.field} is a file of the worker's machine, and {LOCAL_MEDIA.name}"
                f" names no folder for such; {_DATA}, or an https address",
                place.field,
            )
        leads = address.read(text)
        if leads is None:
            raise InvalidInput(
                f"{place.field} is no address that the worker can check (host {_host(text)}): write"
                f" https://host/path with the host in plain ASCII, or {_DATA}",
                place.field,
            )
        if self._listed is not None and leads.host not in self._listed:
            raise InvalidInput(
                f"{place.field}: the host {_host(text)} is not one of ALLOWED_MEDIA_DOMAINS; name"
                f" one that is, or {_DATA}",
                place.field,
            )
        return leads

    async def _look(self, unknown: Mapping[str, Place]) -> None:
        found = await asyncio.gather(*(self._is_public(host) for host in unknown))
        for place, public in zip(unknown.values(), found, strict=True):
            if public is None:
                raise LookupTooLate(
                    f"{place.field}: the host {_host(place.text)} could not be looked up in time:"
                    f" try again, or {_DATA}",
                    place.field,
                )
            if not public:
                raise _not_public(place)

    def _needs_look(self, leads: Address, place: Place) -> bool:
        """Whether its name has to be looked up.

        Raises:
            InvalidInput: without that it is clear that it is not public.
        """
        if leads.ip is not None:
            if not networks.is_public(leads.ip):
                raise _not_public(place)
            return False
        if _is_of_this_network(leads.host):
            raise _not_public(place)
        return not self._detour.takes(leads.scheme, leads.host)

    async def _is_public(self, host: str) -> bool | None:
        """Whether a name has addresses, all of them public: the engine may take any of them.

        None where nobody told in time.
        """
        try:
            found = await self._lookup.addresses(host)
        except TooLate:
            return None
        addresses = [networks.read(each) for each in found]
        return bool(addresses) and all(each and networks.is_public(each) for each in addresses)


def _is_of_this_network(host: str) -> bool:
    """Whether a name has no meaning in the internet, also where a proxy would resolve it."""
    return "." not in host or host.endswith(_NEVER_PUBLIC)


def _not_public(place: Place) -> InvalidInput:
    # The same for a name that nobody knows: who asks for many is not to learn which of them exist.
    return InvalidInput(
        f"{place.field}: the host {_host(place.text)} has no public address to fetch from: use one"
        f" that has, or {_DATA}; MEDIA_PRIVATE=1 on the worker allows private ones",
        place.field,
    )


def _host(text: str) -> str:
    return excerpt.value(address.host_of(text))
