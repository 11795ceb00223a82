"""HTTP/1.1 as far as we need it, where a client for everything costs too much.

::

    posts       very many POSTs of which only the status counts
    client      requests to one server; `answer` is one that is read as it comes
    pool        connections that are kept
    connection  what is written into one, and how it breaks
"""
