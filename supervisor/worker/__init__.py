"""One run of the worker: its loop, the engine, the proxy.

::

    start        makes the plan, checks it, hands it to the loop
    preflight    what is looked at, and written, before anything is started
    loop         takes events, lets the lifecycle decide
    acting       carries out what it decides
    lifecycle/   what an event makes of the worker's state. Pure
    early/       what is done beside the engine's imports
    engine/      one run of the engine, and what of it is watched
    proxy_run    one run of the proxy
    process/     child processes in groups of their own
    announce     what the log says of a step. Pure
    pulse        whether this process has stood still
    logs         how lines and the children's output reach the log
    status       what is told of the worker; `control` is the port where it is asked
    tasks        work beside the loop, whose faults are seen
"""
