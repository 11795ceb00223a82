"""Lines of ours and of libraries."""

from __future__ import annotations

import subprocess
import sys

from tests.client import PATIENCE
from tests.processes import ROOT

LINES = """
import logging
from proxy.platform import logs
logs.configure()
logging.getLogger("proxy").info("half of \\ud83d")
logging.getLogger("urllib3.connectionpool").warning("a library's")
logging.getLogger("httpx").info("every request")
"""


def test_each_line_has_the_name_of_who_says_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    first, second = done.stdout.splitlines()
    assert first.endswith(" INFO proxy: half of \\ud83d")
    assert second.endswith(" WARNING urllib3.connectionpool: a library's")
    assert done.stderr == ""
