"""What becomes of jobs when an engine is lost.

::

    suspects   which jobs may be sent now: those that were in two engines that ended go one by one
    tries      one job's tries
"""
