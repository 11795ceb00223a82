"""The engine over HTTP, and what the supervisor says of it.

::

    requests      sends them
    health        whether the engine is well, why one ended; waits for one that is away
    supervision   asks the supervisor
    openapi       what the engine says that it takes
"""
