"""Which image of vLLM a CUDA asks for, looked up before a build fails to pull it."""

import re

from tools import tags
from tools.docs import known
from tools.errors import SetupError

_WRITTEN = re.compile(r"\d+\.\d+(\.\d+)?|\d{3}")


def marked(vllm: str, asked: str) -> str:
    """The digits in the tag of `vllm` for the CUDA that is asked for; empty for its default.

    Args:
        vllm: a version, `0.33.0`.
        asked: `129`, `12.9`, `12.9.1`; empty for the default.

    Raises:
        SetupError: it is no version, or vLLM has no image of it. A vLLM of which nothing is known
            here is taken at its word.
    """
    if not asked:
        return ""
    if not _WRITTEN.fullmatch(asked):
        raise SetupError(
            f"WORKER_CUDA_VERSION={asked} is not a version of CUDA; write 12.9 for example, or"
            " leave it out."
        )
    default = known.CUDA.get(vllm)
    if default is None:
        return tags.digits(asked)
    if tags.digits(asked) == tags.digits(default):
        return ""
    others = known.MORE_CUDA.get(vllm, [])
    if tags.digits(asked) in map(tags.digits, others):
        return tags.digits(asked)
    remedy = f"leave it out, or set it to {' or '.join(others)}" if others else "leave it out"
    raise SetupError(
        f"WORKER_CUDA_VERSION={asked} fits no image of vLLM {vllm}, which is published for CUDA"
        f" {' and '.join([default, *others])}: {remedy}."
    )
