"""Files of environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor import env_file
from supervisor.errors import ConfigurationError


def test_it_is_read_as_docker_reads_it(tmp_path: Path) -> None:
    """Lines end at line feeds and nowhere else; bytes that are no text are no traceback."""
    file = tmp_path / "env"
    file.write_bytes("A=b\u2028C=d \n# no\n  E=f=g\r\nH=\n".encode() + b"I=\xff\n")
    assert env_file.read(file) == {"A": "b\u2028C=d ", "E": "f=g", "H": "", "I": "\udcff"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--env-file .*/none cannot be read: No such"):
        env_file.read(tmp_path / "none")
