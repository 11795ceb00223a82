"""The contract of our two processes, both ends of it. Imports nothing else of ours.

::

    handover.py   what the supervisor gives a proxy at its start, and signals to it later
    report.py     the pipe from the proxy to the supervisor: the proxy's end
    journal.py    its other end
    figures.py    the figures that go through it
    histogram.py  those that have a distribution
    standing.py   the body of `/status`, which the proxy asks for over HTTP
    hidden.py     keeps the memory of both from others of their user
"""
