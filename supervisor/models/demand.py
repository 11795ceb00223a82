"""What a command asks of the memory of each GPU. Pure."""

from __future__ import annotations

from ..records import dataclass

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Demand:
    """What a command asks of each GPU.

    Attributes:
        tensor, pipeline: into how many parts the model is divided.
        share: of its memory that the engine may use, 0 to 1.
        offload: bytes of the weights of each GPU that are kept outside it.
        dtype: in which the model is run; `auto` where nothing is said.
        quantization: the method that the command names; empty where it names none.
        load_format: in which the weights are read.
        doubts: what the command says for which weights may take less room than they are stored
            in, as parts of a sentence.
    """

    tensor: int = 1
    pipeline: int = 1
    share: float = 0.9
    offload: float = 0.0
    dtype: str = "auto"
    quantization: str = ""
    load_format: str = "auto"
    doubts: tuple[str, ...] = ()

    @property
    def parts(self) -> int:
        """Among how many GPUs the weights are divided."""
        return self.tensor * self.pipeline
