"""What the supervisor hands to a proxy that it starts: addresses, descriptors, signals."""

from __future__ import annotations

import signal

#: Variables by which the descriptors are named: the pipe for `report`, the file with the jobs that
#: the proxy before left.
REPORT_FD = "REPORT_FD"
JOBS_FD = "JOBS_FD"
#: What the SDK is to check before the first job, parted by commas.
FITNESS_CHECKS = "FITNESS_CHECKS"

#: Take no more jobs, finish those in hand; a second one is as ABORT.
FINISH = signal.SIGTERM
#: End the jobs in hand with an error.
ABORT = signal.SIGUSR1
