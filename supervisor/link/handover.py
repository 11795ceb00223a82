"""What the supervisor gives a proxy that it starts: variables, descriptors, and later signals."""

from __future__ import annotations

import signal
from enum import StrEnum

#: Variables that name inherited descriptors: the pipe of `report`, and the file with the jobs that
#: the previous proxy left.
REPORT_FD = "REPORT_FD"
JOBS_FD = "JOBS_FD"
#: The variable with the checks that come before the first job, parted by commas, or NO_CHECKS; and
#: the one with the folder for weights, which one of them looks at.
FITNESS_CHECKS = "FITNESS_CHECKS"
NO_CHECKS = "nothing"  # not "none", which means "not set"
MODELS_FOLDER = "MODELS_FOLDER"
#: The variable that makes a proxy tell the platform that the worker is unhealthy, with this reason,
#: and do nothing else.
UNHEALTHY = "WORKER_UNHEALTHY"
#: The variable with what a proxy puts before each object of its log, where that is one of objects:
#: no line that anything else makes it print is taken for one.
LOG_SIGNATURE = "LOG_SIGNATURE"
#: The variable with the name by which a worker's figures and traces are known to be of one.
INSTANCE = "WORKER_INSTANCE"


class Check(StrEnum):
    """What is checked, in this order; see `proxy.platform.fitness`."""

    MEMORY = "memory"
    DISK = "disk"
    GPU = "gpu"
    ENGINE = "engine"


#: Take no more jobs, finish those in hand. A second one is as ABORT. The platform's SDK hears it.
FINISH = signal.SIGTERM
#: Take no more jobs, end those in hand with an error.
ABORT = signal.SIGUSR1
