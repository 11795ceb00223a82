"""The bytes of a streaming answer -> batches of events.

::

    socket    reads them, when asked
    sse       cuts them into events. Pure
    ramp      how many tokens a batch takes, how long one may wait. Pure
    pace      wakes many streams together
    batches   looks at the socket, hands batches over
    native    batches in the native form. Pure
"""
