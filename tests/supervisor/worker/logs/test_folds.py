"""Lines that are counted instead of shown."""

from __future__ import annotations

import pytest

from supervisor.worker.logs.access import Access
from supervisor.worker.logs.exports import Exports
from supervisor.worker.logs.folds import Folds, without_colours

ACCESS = b'INFO:     127.0.0.1:1 - "GET /v1/models HTTP/1.1" 200 OK\n'
EXPORT = b"Failed to export spans batch due to timeout, max retries or shutdown.\n"


def test_each_line_is_counted_by_whoever_knows_it() -> None:
    now = [100.0]
    told: list[str] = []
    folds = Folds(
        Access(told.append, lambda: now[0]), Exports(told.append, "http://c", lambda: now[0])
    )
    assert folds.left is None
    assert not folds.may(b"INFO 11-26 19:00:00 [x.py:1] what else\n" * 100)
    assert folds.may(ACCESS)
    assert folds.may(EXPORT)
    assert folds.takes(ACCESS)
    assert folds.left == 5.0
    assert folds.takes(EXPORT)
    assert folds.left == 2.0, "the sooner"
    assert not folds.takes(b"what else\n")
    now[0] += 2.0
    folds.tell()
    assert len(told) == 1
    assert told[0].startswith("the engine's spans do not reach http://c")
    folds.tell_rest()
    assert told[1:] == ["the engine answered 1 request in 2 s: 1 GET /v1/models 200"]
    assert folds.left is None


@pytest.mark.parametrize("line", [b"one\x1b[1;36m two\x1b[0m", b"one two"])
def test_colours_are_no_part_of_a_line(line: bytes) -> None:
    assert without_colours(line) == b"one two"
