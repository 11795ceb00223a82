"""The bytes of an answer -> what is handed over.

::

    sse       cuts them into events. Pure
    ramp      how many tokens a batch takes, how long one may wait. Pure
    pace      wakes many streams together
    batches   looks at the socket, hands batches over
    outputs   makes of batches what the caller reads. Pure
    native    batches in the native form. Pure
    whole     an answer in one piece
    raw       kinds of outputs
"""
