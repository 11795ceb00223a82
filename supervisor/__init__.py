"""Turns environment variables into a `vllm serve` command line, and supervises what it starts.

::

    settings, catalog, models, command   decide what to run
    planning                             makes a plan of what is on this machine
    worker                               runs it; `link` is its contract with the proxy
    diagnosis, doctor                    say what is wrong, after and before a start
    foreign                              is run by other interpreters

Installed as a package (`vllm_supervisor`) it is the command line alone.
"""

__version__ = "0.1.0"
