"""The platform's side of the proxy.

::

    sdk       starts the SDK, and connects it with the rest; the only one that knows its scaler
    intake    which jobs are taken, and when no more are
    dispatch  when a job begins, how many run at once
    runner    runs a job; who hears how it ended
    results   hands outputs and results to the platform
    heartbeat tells that the worker is alive
    fitness   the checks before the first job
    race      ends work when something else happens
"""
