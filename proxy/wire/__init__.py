"""HTTP/1.1 for very many small requests, where a client for everything costs too much.

::

    posts       POSTs over connections that are kept
    connection  one of these
"""
