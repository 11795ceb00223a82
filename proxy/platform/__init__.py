"""The platform's side of the proxy.

::

    sdk       starts the SDK, and connects it with the rest; the only one that knows its scaler
    intake    which jobs are taken, when they begin, and when no more are taken
    runner    runs a job; who hears how it ended
    results   hands outputs and results to the platform
    heartbeat tells that the worker is alive
    fitness   the checks before the first job
    logs      how its processes log
    race      ends work when something else happens
"""
