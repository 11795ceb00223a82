"""A job's input -> a request of the engine. Pure.

::

    inputs    what each form of input may say
    forms     the three forms, and the request that they make
    routes    which routes are offered, and by which methods
    sendable  a body's JSON, or why it cannot be sent
    audio     the multipart form of the audio routes
    settle    what of it the engine that is there takes
    dropped   parameters that this engine would silently leave out
    schema    what an engine says of its routes
    unknown   names that it does not know
"""
