"""The versions of vLLM whose catalogues come with the supervisor."""

from __future__ import annotations

from functools import cache

from supervisor.catalog import Catalog, versions
from tools import tags

FOLDER = versions.FOLDER

#: Version -> the CUDA that the official image of that version asks of the driver.
CUDA = {
    "0.33.0": "13.0",
    "0.32.0": "13.0",
    "0.27.1": "13.0",
    "0.14.1": "12.9",
    "0.10.2": "12.8",
    "0.6.2": "12.4",
}
#: Version -> the other CUDAs for which vLLM publishes it too, and so do we.
MORE_CUDA = {"0.33.0": ["12.9"], "0.32.0": ["12.9"], "0.27.1": ["12.9"]}
#: The one that the image is built with unless told otherwise.
DEFAULT = tags.DEFAULT_VLLM


@cache
def catalogs() -> dict[str, Catalog]:
    """Version -> its catalogue, the newest first."""
    return {version: versions.load(version) for version in CUDA}
