"""What the supervisor can fail with, and the exit code of each.

::

    SupervisorError                  1    anything that is not one of the below
    ├── ConfigurationError          78    refused by us, or by the engine during its first start
    │   ├── MachineRefused          78    refused here, and another machine may take it
    │   └── NodeRefused             78    refused here, and the other nodes may serve without it
    ├── BadArgument                  2    an argument of a command that is not understood
    ├── NoWorker                     2    the installed command line was told to run the worker
    ├── CatalogError                 1    the engine's options cannot be read
    ├── OutOfResources               1    nothing was left with which something could be started
    ├── CommandNotFound            127    no such command
    └── CommandNotExecutable       126    a file without the right to run it

Exit codes that come from the lifecycle (70, 71, 137) are in `worker.lifecycle.ExitCode`.
"""

from __future__ import annotations


class SupervisorError(Exception):
    """A sentence for the user; `exit_code` is what the process ends with."""

    exit_code = 1


class ConfigurationError(SupervisorError):
    """The configuration cannot be used as it stands."""

    exit_code = 78


class MachineRefused(ConfigurationError):
    """The configuration cannot be used on this machine as it is now; another one may take it."""


class NodeRefused(ConfigurationError):
    """This cannot be the node that it is said to be, and the others may serve without it."""


class BadArgument(SupervisorError):
    """An argument of a command is not understood."""

    exit_code = 2


class NoWorker(SupervisorError):
    """The worker is not part of the installed package."""

    exit_code = 2


class CatalogError(SupervisorError):
    """The engine's interpreter could not say which options it accepts."""


class OutOfResources(SupervisorError):
    """Something could not be started, because no file descriptor, process or thread was left: no
    fault of its own.
    """


class CommandNotFound(SupervisorError):
    """The engine's command does not exist."""

    exit_code = 127


class CommandNotExecutable(SupervisorError):
    """The engine's command exists and is not executable."""

    exit_code = 126
