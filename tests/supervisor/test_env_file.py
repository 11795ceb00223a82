"""Files of environment variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor import env_file
from supervisor.errors import ConfigurationError
from supervisor.findings import Findings


def test_it_is_read_as_docker_reads_it(tmp_path: Path) -> None:
    """Lines end at line feeds and nowhere else."""
    file = tmp_path / "env"
    file.write_bytes("A=b\u2028C=d \n# no = no\n  E=f=g\r\nH=\n \nI=ü\n".encode())
    assert env_file.read(file) == ({"A": "b\u2028C=d ", "E": "f=g", "H": "", "I": "ü"}, Findings())


def test_the_mark_of_windows_editors_is_no_part_of_a_name(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("A=b\n", encoding="utf-8-sig")
    assert env_file.read(file) == ({"A": "b"}, Findings())


def test_a_name_alone_is_taken_from_dockers_caller_and_said(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("A=b\nHF_TOKEN\r\n")
    env, found = env_file.read(file)
    assert env == {"A": "b"}
    (warning,) = found.warnings
    assert warning.message.startswith(f"--env-file {file}, line 2: no = stands behind HF_TOKEN;")
    assert warning.suggestion == "write HF_TOKEN=VALUE"


def test_of_a_name_that_comes_twice_the_last_counts_and_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("SEED=hf_secret123\nA=b\nSEED=2\n")
    env, found = env_file.read(file)
    assert env == {"A": "b", "SEED": "2"}
    (warning,) = found.warnings
    assert warning.message == f"--env-file {file} sets SEED 2 times, in lines 1, 3; the last counts"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"A=b\nI=\xff\n", "line 2: these bytes are not UTF-8; save the file as UTF-8"),
        (
            b"A=b\n\nexport MAX_MODEL_LEN=8k\n",
            "line 3: `export` is for a shell, and Docker refuses the file; leave",
        ),
        (
            b"HF TOKEN=hf_secret123\n",
            "line 1: white space stands before the =, and Docker refuses the file; write",
        ),
        (b"A: hf_secret123\n", "line 1: `NAME: VALUE` is YAML, and Docker refuses the file; write"),
        (b"  - A: b=c\n", "line 1: `NAME: VALUE` is YAML, and Docker refuses the file; write"),
        (b"A hf_secret123\n", "line 1: no = stands between these words, and Docker refuses"),
        (b"=b\n", "line 1: no name stands before the =, and Docker refuses the file; write"),
        (b"A =b\n", "line 1: white space stands before the =, and Docker refuses the file; write"),
        ("A=b\n".encode("utf-16"), "is not UTF-8 but probably UTF-16; save it as UTF-8"),
        ("A=b\n".encode("utf-16-le"), "is not UTF-8 but probably UTF-16; save it as UTF-8"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, data: bytes, sentence: str) -> None:
    """With its line, and without what is in it: that may be a secret."""
    file = tmp_path / "env"
    file.write_bytes(data)
    with pytest.raises(ConfigurationError) as caught:
        env_file.read(file)
    assert str(caught.value).startswith(f"--env-file {file}")
    assert sentence in str(caught.value)
    assert "hf_secret123" not in str(caught.value)


def test_every_line_that_docker_refuses_is_told(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("export A=b\nC = d\nexport E=f\nG= h\n")
    with pytest.raises(ConfigurationError) as caught:
        env_file.read(file)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"--env-file {file}, lines 1, 3: `export` is for a shell, and Docker")
    assert second.startswith(f"--env-file {file}, line 2: white space stands before the =, and")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--env-file .*/none cannot be read: No such"):
        env_file.read(tmp_path / "none")


def test_a_device_is_not_read_for_ever_and_a_pipe_is_read() -> None:
    with pytest.raises(ConfigurationError, match="/dev/zero is larger than 16 MiB; name another"):
        env_file.read(Path("/dev/zero"))
    read, write = os.pipe()
    with os.fdopen(read), os.fdopen(write, "w") as file:
        file.write("A=b")
        file.flush()
        file.close()
        assert env_file.read(Path(f"/dev/fd/{read}"))[0] == {"A": "b"}
