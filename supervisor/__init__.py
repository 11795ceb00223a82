"""Turns environment variables into a `vllm serve` command line, and supervises what it starts.

`settings`, `catalog` and `command` decide what to run, `worker` runs it, `diagnosis` and `doctor`
say what is wrong. Installed as a package (`vllm_supervisor`) it is the command line alone.
"""

__version__ = "0.1.0"
