"""A stream whose engine was lost in its middle goes on from its last token, on the next engine.

::

    safe       which requests can be gone on with. Pure
    told       what the caller has got of the answer. Pure
    end        what is missing where only the end is. Pure
    question   the request that asks for the rest. Pure
    prompt     whether its prompt is the one of before, and the answer. Pure
    seam       makes the rest of the answer one with what came before. Pure
    resuming   asks what has to be known for that
    keep_alive comments for who reads a stream that waits
"""
