"""What becomes of jobs when an engine is lost.

::

    health     whether the engine is well, and why it ended
    suspects   which jobs may be sent now: those that were in two engines that ended go one by one
    tries      one job's tries
"""
