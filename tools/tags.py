"""How images are named: `vllmsupervisor/worker:v0.1.0-vllm0.33.0[-cu129]`. Said here alone."""

from supervisor import __version__

REPOSITORY = "vllmsupervisor/worker"
DEFAULT_VLLM = "0.33.0"  # as the Dockerfile has it
BASE_REPOSITORY = "vllm/vllm-openai"


def suffix(cuda: str) -> str:
    """How vLLM marks images of a CUDA (`12.9`) that is not its default, in its tags and in ours."""
    return f"-cu{digits(cuda)}" if cuda else ""


def digits(cuda: str) -> str:
    """`129` for `12.9`, `12.9.1` or `129`."""
    return "".join(cuda.split(".")[:2])


def image(vllm: str, cuda: str = "") -> str:
    """Our image with this vLLM; `cuda` only where it is not that vLLM's default."""
    return f"{REPOSITORY}:v{__version__}-vllm{vllm}{suffix(cuda)}"


def base(vllm: str, cuda: str = "") -> str:
    """The image of vLLM on which ours is built."""
    return f"{BASE_REPOSITORY}:v{vllm}{suffix(cuda)}"
