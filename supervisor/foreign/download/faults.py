"""What can go wrong with a download, each as one sentence with its remedy."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

_NO_SPACE = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
#: A file or folder that cannot be written, or whose disk is gone: of this machine's disk alone.
_OF_THE_DISK = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR),
    *(errno.ESTALE, errno.EIO, errno.ENODEV, errno.ENXIO),
}
#: With these the hub says why. What it sends one to (signed addresses, which expire) or what stands
#: before it (a firewall) refuses without them, and means no token.
_HUBS_WORDS = {"x-error-message", "x-error-code"}
_SHOWN = 300  # characters of what the hub's client said
#: In an address: who asks, with the password (of HF_ENDPOINT), and what signs one that was sent.
_SECRET_IN_URL = re.compile(r"(?<=://)[^\s/@'\"]*@|(?<=\?)[^\s'\")\]>]+")


class DownloadError(Exception):
    """One sentence. `again`: another try may help."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


def named(fault: Exception, repository: str, revision: str | None, folder: Path) -> DownloadError:
    """What the hub's client raised, as one sentence with its remedy."""
    from huggingface_hub import errors

    if isinstance(fault, DownloadError):
        return fault
    status = getattr(getattr(fault, "response", None), "status_code", None)
    if isinstance(fault, errors.GatedRepoError):
        return DownloadError(
            f"{repository} is gated; accept its licence on the model's page and give HF_TOKEN of"
            " that account"
        )
    if isinstance(fault, errors.RevisionNotFoundError):
        return DownloadError(f"{repository} has no revision {revision}; correct MODEL_REVISION")
    if isinstance(fault, errors.RepositoryNotFoundError):
        told = "HF_TOKEN has no access to it" if os.environ.get("HF_TOKEN") else "it is private"
        return DownloadError(
            f"{repository} was not found, or {told}; check MODEL_NAME and HF_TOKEN"
        )
    if isinstance(fault, errors.HFValidationError):
        return DownloadError(f"{repository} is not a repository name; write it as org/name")
    if status == 401 or (status == 403 and _is_of_the_hub(fault)):
        return DownloadError(
            f"the hub refused HF_TOKEN for {repository} with status {status}; set one that may read"
            " it"
        )
    if isinstance(fault, OSError) and fault.errno in _NO_SPACE | _OF_THE_DISK:
        return of_the_disk(fault, repository, folder)
    first = (str(fault).strip().splitlines() or [type(fault).__name__])[0]
    first = _SECRET_IN_URL.sub("***", first)[:_SHOWN]
    return DownloadError(
        f"the download of {repository} broke off ({type(fault).__name__}: {first}); check the"
        " network and HF_ENDPOINT",
        again=True,
    )


def of_the_disk(fault: OSError, repository: str, folder: Path) -> DownloadError:
    """What keeps `repository` from being written into `folder`: the fault of this machine alone."""
    if fault.errno in _NO_SPACE:
        return DownloadError(f"no space is left in {folder} for {repository}; give it more disk")
    why = fault.strerror or type(fault).__name__
    return DownloadError(
        f"{fault.filename or folder} cannot be used for {repository} ({why}); make the folder"
        " writable, or take another machine"
    )


def _is_of_the_hub(fault: Exception) -> bool:
    headers = getattr(getattr(fault, "response", None), "headers", None) or {}
    return any(str(name).lower() in _HUBS_WORDS for name in headers)
