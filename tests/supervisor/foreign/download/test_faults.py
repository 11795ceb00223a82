"""What the hub's client raises becomes one sentence with its remedy."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from supervisor.foreign.download.faults import DownloadError, named

_KINDS = ("GatedRepoError", "RevisionNotFoundError", "RepositoryNotFoundError", "HFValidationError")


@pytest.fixture(autouse=True)
def errors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for the client's errors, which only the engine's environment has."""
    module = ModuleType("huggingface_hub.errors")
    for kind in _KINDS:
        setattr(module, kind, type(kind, (Exception,), {}))
    package = ModuleType("huggingface_hub")
    monkeypatch.setattr(package, "errors", module, raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", module)
    return module


def sentence(fault: Exception) -> DownloadError:
    return named(fault, "org/m", "v9", Path("/models"))


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("GatedRepoError", "org/m is gated; accept its licence"),
        ("RevisionNotFoundError", "org/m has no revision v9; correct MODEL_REVISION"),
        ("RepositoryNotFoundError", "org/m was not found, or"),
        ("HFValidationError", "org/m is not a repository name; write it as org/name"),
    ],
)
def test_what_the_client_names(errors: ModuleType, kind: str, says: str) -> None:
    found = sentence(getattr(errors, kind)("..."))
    assert str(found).startswith(says)
    assert not found.again


@pytest.mark.parametrize(
    ("status", "again"), [(401, False), (403, False), (429, True), (500, True)]
)
def test_a_refusal_is_final_and_a_failure_is_not(status: int, again: bool) -> None:
    fault = RuntimeError("HTTP")
    headers = {"X-Error-Message": "no"}
    fault.response = SimpleNamespace(status_code=status, headers=headers)  # type: ignore[attr-defined]
    assert sentence(fault).again is again


def test_a_refusal_by_another_than_the_hub_means_no_token() -> None:
    """A signed address that has expired, a firewall: without the hub's own words."""
    fault = RuntimeError("403 Forbidden")
    fault.response = SimpleNamespace(status_code=403, headers={"Server": "x"})  # type: ignore[attr-defined]
    found = sentence(fault)
    assert found.again
    assert "HF_TOKEN" not in str(found)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:word@mirror.example/api", "https://***mirror.example/api"),
        ("https://word@mirror.example/api", "https://***mirror.example/api"),
        ("https://cas.example/x?Policy=word&Signature=word", "https://cas.example/x?***"),
        ("https://hub.example/api/models/org/m", "https://hub.example/api/models/org/m"),
    ],
)
def test_no_secret_of_an_address_is_told(url: str, shown: str) -> None:
    """It stands in the log, in /status and in the answer to a job."""
    found = str(sentence(RuntimeError(f"Client error '500 Odd' for url '{url}' (id: 1)")))
    assert "word" not in found
    assert f"for url '{shown}' (id: 1)" in found


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk(number: int) -> None:
    found = sentence(OSError(number, "full"))
    assert str(found) == "no space is left in /models for org/m; give it more disk"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ESTALE, errno.EIO])
def test_a_disk_that_cannot_be_written(number: int) -> None:
    found = sentence(OSError(number, "Odd", "/models/x"))
    assert str(found) == (
        "/models/x cannot be used for org/m (Odd); make the folder writable, or take another"
        " machine"
    )
    assert not found.again
    assert "/models cannot be used" in str(sentence(OSError(number, "Odd")))
    # The one of the network has a number of its own.
    assert "check the network" in str(sentence(OSError(errno.ECONNRESET, "reset")))


def test_anything_else_is_tried_again_with_its_first_line() -> None:
    found = sentence(ValueError("x" * 400 + "\nmore"))
    assert found.again
    assert f"(ValueError: {'x' * 300})" in str(found)
    assert "(KeyError: KeyError)" in str(sentence(KeyError()))


def test_a_sentence_of_our_own_stays() -> None:
    own = DownloadError("it does not fit")
    assert sentence(own) is own
