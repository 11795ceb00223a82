"""`doctor`: what a start would find, without one.

`probe` is run by the engine's own interpreter and prints facts; `machine` gathers them and those
of this machine; `checks` judges them, pure; `text` shows the lines to a person. `fitting`, whether
the weights fit into the GPUs, is also for `explain` and for what watches a start.
"""

from .checks import Line, Verdict
from .machine import examine
from .text import report

__all__ = ["Line", "Verdict", "examine", "report"]
