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

One of several nodes that serve one model begins with `Awaiting` instead, and each back-off is
followed by it: engines are started once all nodes are without one. See `orders`.

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
    orders     what several nodes that serve one model say to each other
    group      how each of them sees the others
    cluster/   what is another thing for one of them
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
from .group import Following, Group, Leading
from .orders import (
    Doing,
    Hindered,
    Lost,
    NoAnswer,
    Order,
    Ordered,
    Prepared,
    Reported,
    Start,
    StopAll,
    Unheard,
    Wait,
)
from .parts import (
    Answering,
    Awaiting,
    BackingOff,
    DrainingJobs,
    DrainingProcesses,
    Finished,
    GivingUp,
    Killed,
    Leaving,
    NoEngine,
    NoProxy,
    Parting,
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
    "Awaiting",
    "BackingOff",
    "CannotFit",
    "Doing",
    "DrainingJobs",
    "DrainingProcesses",
    "Due",
    "Ended",
    "Event",
    "ExitCode",
    "Exited",
    "Finished",
    "Following",
    "GivingUp",
    "Group",
    "Hindered",
    "History",
    "JobTaken",
    "JobsDone",
    "JobsSeen",
    "Killed",
    "Leading",
    "Leaving",
    "Lost",
    "NoAnswer",
    "NoEngine",
    "NoProxy",
    "Order",
    "Ordered",
    "Parting",
    "Phase",
    "Policy",
    "Prepared",
    "Probed",
    "ProxyExited",
    "ProxyKilled",
    "ProxyRunning",
    "ProxyWaiting",
    "Ready",
    "Reason",
    "Reported",
    "Serving",
    "Stalled",
    "Start",
    "Starting",
    "State",
    "StillServing",
    "Stop",
    "StopAll",
    "Thawed",
    "Unheard",
    "Wait",
    "Warming",
    "backoff",
    "begin",
    "step",
]
