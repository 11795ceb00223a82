"""What a user wrote, however deep or long."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from supervisor.decoding import json_of, read_text, unlike_text, with_repeated

DEEP = [
    "[" * 2000,
    "[" * 2000 + "]" * 2000,
    '{"a":' * 2000 + "1" + "}" * 2000,
    "[" * 900 + "]" * 900,  # Python's own limit is higher
    '{"a":' * 150 + "1" + "}" * 150,
]


@pytest.mark.parametrize("text", DEEP, ids=lambda text: text[:20])
def test_what_is_too_deep_is_no_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested more than 100 deep"):
        json_of(text)


def test_what_is_large_and_flat_is_one() -> None:
    values: tuple[object, ...] = (
        [[1]] * 5000,
        {str(number): {"a": [{}]} for number in range(500)},
        "[" * 500,
        7,
    )
    for value in values:
        assert json_of(json.dumps(value)) == value
    deepest = "[" * 100 + "]" * 100
    assert json.dumps(json_of(deepest)) == deepest


def test_a_small_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes("é\r\n".encode())
    assert read_text(file, 4) == "é\r\n"
    with pytest.raises(ValueError, match="is larger than 0 MiB"):
        read_text(file, 3)
    file.write_bytes(b"a\nb\n\xff\n")
    with pytest.raises(ValueError, match="line 3 is no text in UTF-8"):
        read_text(file, 100)


def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(ValueError, match=r"is a (folder|pipe or a device), not a file"):
            read_text(path, 100)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "none", 100)


def test_what_is_no_file_of_text(tmp_path: Path) -> None:
    file, pipe = tmp_path / "file", tmp_path / "pipe"
    file.write_text("a")
    os.mkfifo(pipe)
    assert unlike_text(file) == unlike_text(tmp_path / "none") == unlike_text(file / "under") == ""
    assert unlike_text(tmp_path) == "is a folder, not a file"
    for path in (pipe, Path("/dev/zero")):
        assert unlike_text(path) == "is a pipe or a device, not a file"
    os.truncate(file, (16 << 20) + 1)
    assert unlike_text(file) == "is larger than 16 MiB"


def test_keys_that_stand_twice() -> None:
    assert with_repeated('{"a":1,"a":2,"b":[{"c":1,"c":1},{"a":3}]}')[1] == ("c", "a")
    assert with_repeated('{"a":{"a":1}}')[1] == ()
    with pytest.raises(ValueError, match="deep"):
        with_repeated(DEEP[0])
