"""Every failure is one line and an exit code."""

import errno

import pytest

from tools.errors import SetupError, reported


def raising(error: BaseException) -> int:
    def command() -> int:
        raise error

    return reported(command)


def test_a_setup_error_is_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(SetupError("Do this.")) == 1
    assert capsys.readouterr().err == "error: Do this.\n"


def test_ctrl_c_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(KeyboardInterrupt()) == 130
    assert "Interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "word"), [(errno.ENOSPC, "space"), (errno.EACCES, "written"), (errno.EIO, "/f")]
)
def test_the_system_refusing_names_the_file(
    number: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(OSError(number, "refused", "/f")) == 1
    said = capsys.readouterr().err
    assert word in said
    assert said.count("\n") == 1
