"""The table of metrics in docs/operations.md; the rest of that page is written by hand."""

from __future__ import annotations

import re

from supervisor.worker.metrics import names
from tools.worker import CHECKOUT

_TABLE = re.compile(r"^\| metric \(.*?\n(?=\n)", re.MULTILINE | re.DOTALL)


def text() -> str:
    """The page with today's table."""
    page = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    return _TABLE.sub(lambda _found: names.table(), page, count=1)
