"""A job's input -> a request of the engine. Pure.

::

    forms     the three forms of input
    routes    which routes are offered
    dropped   parameters that this engine would silently leave out
"""
