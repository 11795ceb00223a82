"""The bytes of a streaming answer -> batches of events.

::

    socket    reads them, when asked
    sse       cuts them into events. Pure
    ramp      how many tokens a batch takes, how long one may wait. Pure
    pace      wakes many streams together
    batches   looks at the socket, hands batches over
    native    batches and answers in the native form. Pure
    apart     a large answer in the native form, made by a process of its own
    finite    NaN and Infinity as null. Pure
"""
