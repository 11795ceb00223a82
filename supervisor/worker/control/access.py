"""Who may ask for more than /ping."""

from __future__ import annotations

import hmac
import ipaddress
import re

from ...settings import table
from .message import Answer, Question

_NAME_AND_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<other>[^:\[\]]*))(?::\d*)?")


class Access:
    """By a token where one is set; else from this machine alone, and under its own names.

    A page in a browser on this machine can ask it too, and read the answer where its own name is
    made to lead here (DNS rebinding). Then the Host header has that name.

    Args:
        token: CONTROL_TOKEN; None where it is not set.
        host: CONTROL_HOST, which is a name of this machine as well.
    """

    def __init__(self, token: str | None, host: str) -> None:
        self._token = None if token is None else token.encode()
        self._names = frozenset({"localhost", host.lower()})

    def refusal_of_page(self, question: Question) -> Answer | None:
        """As `refusal`, for a page that tells nothing of the worker, but asks for the token."""
        return None if self._token is not None else self.refusal(question)

    def refusal(self, question: Question) -> Answer | None:
        """Why `question` is not answered; None: it is."""
        token = table.CONTROL_TOKEN.name
        if self._token is not None:
            if self._is_given(self._token, question.authorization):
                return None
            why = f"send {token} as `Authorization: Bearer ...`"
            return Answer.error(401, why, "WWW-Authenticate: Bearer")
        if not is_loopback(question.peer):
            why = f"without {token} this answers to the worker's own machine alone"
            remedy = "set it on the worker, and send it as `Authorization: Bearer ...`"
            return Answer.error(403, f"{why}; {remedy}")
        if not self._is_ours(question.host):
            why = "the Host header is no name of this machine; ask for localhost or 127.0.0.1"
            return Answer.error(403, f"{why}, or set {token} on the worker and send it")
        return None

    @staticmethod
    def _is_given(token: bytes, authorization: bytes) -> bool:
        scheme, _, given = authorization.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token)

    def _is_ours(self, host: str | None) -> bool:
        found = _NAME_AND_PORT.fullmatch((host or "").strip())
        if found is None:
            return False
        name = found["six"] if found["six"] is not None else found["other"]
        return name.lower() in self._names or is_loopback(name)


def is_loopback(address: str) -> bool:
    """Whether this is an address of the machine's loopback."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)  # an IPv4 peer of a socket for both
    return bool((mapped or found).is_loopback)
