"""What the supervisor gives a proxy that it starts: variables, descriptors, and later signals."""

from __future__ import annotations

import signal

#: Variables that name inherited descriptors: the pipe of `report`, and the file with the jobs that
#: the previous proxy left.
REPORT_FD = "REPORT_FD"
JOBS_FD = "JOBS_FD"
#: The variable with the checks that come before the first job, parted by commas; see
#: `proxy.platform.fitness`.
FITNESS_CHECKS = "FITNESS_CHECKS"

#: Take no more jobs, finish those in hand. A second one is as ABORT. The platform's SDK hears it.
FINISH = signal.SIGTERM
#: Take no more jobs, end those in hand with an error.
ABORT = signal.SIGUSR1
