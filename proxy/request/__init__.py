"""A job's input -> a request of the engine. Pure.

::

    forms     the three forms of input
    audio     the multipart form of the audio routes
    routes    which routes are offered
    dropped   parameters that this engine would silently leave out
"""
