"""Which addresses a job may let the engine fetch from.

::

    places     where in a body an address of media stands
    address    an address as every parser reads it, or why it is refused
    networks   which IP addresses are of the public internet
    lookup     the IP addresses of a name
    judge      all of it: a request passes, or its job ends with an error
"""
