"""The bytes of an answer -> what is handed over.

::

    sse       cuts them into events. Pure
    ramp      how many tokens a batch takes, how long one may wait. Pure
    pace      wakes many streams together
    batches   looks at the socket, hands batches over
    outputs   makes of batches what the caller reads. Pure
    native    batches and answers in the native form. Pure
    whole     an answer in one piece
    apart     a large one in the native form, made by a process of its own
    finite    NaN and Infinity as null. Pure
    raw       kinds of outputs
"""
