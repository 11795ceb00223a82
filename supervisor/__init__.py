"""Turns environment variables into a `vllm serve` command line and keeps its processes in order.

How data flows: `__main__` reads the environment once; `config` (the worker's own settings) and
`flags` (the engine's options, by `catalog`) are joined in `plan`; `worker` carries the plan out
with `process`, `health`, `control`, and asks `lifecycle`, a pure function, what to do next.
"""

__version__ = "0.1.0"
