"""The lifecycle of the worker as a pure function: `(state, event, now) -> (state, actions)`.

::

    STARTING --ready--> READY --exit, hung, stalled, dead--> RESTARTING --ready--> READY
        |                 |                                    |
        +------ exit, late: RESTARTING                         +-- restarts used up --> FAILED
        +------ configuration error, weights that cannot fit --> FAILED
    any of these --stop--> DRAINING --jobs done, engine gone--> STOPPED

STARTING is the first start. RESTARTING covers the end of a lost engine, the back-off and the starts
after the first one. `Exited` means that the engine's whole process group is gone, so two engines
never run at once. FAILED goes on until the proxy has told each job, and the platform, why; for a
cause that no other worker is free of, it answers jobs that come for a while.

Everything that is waited for has a deadline; the caller delivers `Due` when `due` has passed.

::

    step       begin and step: which of the two below an event is for
    working    the engine and the proxy while the worker works
    ending     stop, drain
    failing    answer jobs with the cause, give up
    state      the parts that can be together; the phase follows from them
    parts      the engine, the proxy and the end, each one of a few types
    events     what comes in, what goes out
    policy     the times, each with its reason
"""

from .events import (
    Action,
    CannotFit,
    Due,
    Ended,
    Event,
    ExitCode,
    Exited,
    JobsDone,
    JobsSeen,
    JobTaken,
    Probed,
    ProxyExited,
    Ready,
    Stalled,
    Stop,
    Thawed,
    Warming,
)
from .parts import (
    Answering,
    BackingOff,
    DrainingJobs,
    DrainingProcesses,
    Finished,
    GivingUp,
    Killed,
    Leaving,
    NoEngine,
    NoProxy,
    ProxyKilled,
    ProxyRunning,
    ProxyWaiting,
    Reason,
    Serving,
    Starting,
    StillServing,
)
from .policy import Policy, backoff
from .state import History, Phase, State
from .step import begin, step

__all__ = [
    "Action",
    "Answering",
    "BackingOff",
    "CannotFit",
    "DrainingJobs",
    "DrainingProcesses",
    "Due",
    "Ended",
    "Event",
    "ExitCode",
    "Exited",
    "Finished",
    "GivingUp",
    "History",
    "JobTaken",
    "JobsDone",
    "JobsSeen",
    "Killed",
    "Leaving",
    "NoEngine",
    "NoProxy",
    "Phase",
    "Policy",
    "Probed",
    "ProxyExited",
    "ProxyKilled",
    "ProxyRunning",
    "ProxyWaiting",
    "Ready",
    "Reason",
    "Serving",
    "Stalled",
    "Starting",
    "State",
    "StillServing",
    "Stop",
    "Thawed",
    "Warming",
    "backoff",
    "begin",
    "step",
]
