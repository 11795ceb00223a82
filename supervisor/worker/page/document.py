"""The page itself: one document with its style and its script, which asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "files"
#: No browser that obeys runs anything that a text of the log or of a caller smuggles in, sends
#: anything elsewhere, or shows the page inside another one.
_POLICY = (
    "default-src 'none'",
    "script-src '{script}'",
    "style-src '{style}'",
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)


@dataclass(frozen=True, slots=True)
class Document:
    """The page, and the headers that keep it to itself."""

    body: bytes
    headers: tuple[str, ...]


@cache
def read() -> Document:
    """Put it together from its parts on the disk, once.

    Raises:
        OSError: one is not there.
    """
    page, style, script = (
        (_FOLDER / name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")
    )
    policy = "; ".join(_POLICY).format(script=_sum(script), style=_sum(style))
    body = page.replace("/* page.css */", style).replace("/* page.js */", script)
    return Document(
        body.encode(),
        (
            f"Content-Security-Policy: {policy}",
            "X-Content-Type-Options: nosniff",
            "X-Frame-Options: DENY",
            "Referrer-Policy: no-referrer",
            "Cross-Origin-Resource-Policy: same-origin",
            "Cache-Control: no-cache",
        ),
    )


def _sum(text: str) -> str:
    """As a policy names what stands inside an element."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
