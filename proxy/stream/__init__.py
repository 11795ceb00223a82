"""The bytes of an answer -> what is handed over.

::

    sse       cuts them into events. Pure
    ramp      how many tokens a batch takes, how long one may wait. Pure
    pace      wakes many streams together
    batches   looks at the socket, hands batches over
    outputs   makes of batches what the caller reads. Pure
    native    batches and answers in the native form. Pure
    apart     a large answer in the native form, made by a process of its own
    whole     any other answer in one piece
    finite    NaN and Infinity as null. Pure
    raw       kinds of outputs
"""
