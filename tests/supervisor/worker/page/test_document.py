"""The page as a browser gets it."""

from __future__ import annotations

import base64
import hashlib
import re

from supervisor.worker.page import document


def policy() -> dict[str, str]:
    (line,) = [each for each in document.read().headers if each.startswith("Content-Security-")]
    parts = line.partition(": ")[2].split("; ")
    return {part.partition(" ")[0]: part.partition(" ")[2] for part in parts}


def test_it_may_run_and_show_what_is_in_it_and_nothing_else() -> None:
    page = document.read().body.decode()
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert policy()[kind] == f"'sha256-{digest}'"
        assert len(inside) > 1000
    assert policy()["default-src"] == "'none'"
    assert "unsafe" not in str(policy())


def test_it_names_nothing_that_is_elsewhere() -> None:
    page = document.read().body.decode()
    own = {"http://www.w3.org/2000/svg"}  # a name, no address
    found = set(re.findall(r"\bhttps?://[\w.][^\s'\"`]*", page))
    assert found == own
    assert not re.findall(r"\b(?:src|href|action|url)\s*[=(]\s*[\"']?(?!data:)[^\s>\"']", page)


def test_it_is_shown_in_no_other_page() -> None:
    headers = document.read().headers
    assert "X-Frame-Options: DENY" in headers
    assert "X-Content-Type-Options: nosniff" in headers
    assert policy()["frame-ancestors"] == "'none'"
    assert policy()["form-action"] == "'none'", "no token gets into an address"
