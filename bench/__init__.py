"""`python -m bench`: what the worker costs and how long its callers wait, beside another handler.

::

    around        what is around a worker in a run: a platform, an engine, the network between them
    load          what a run asks
    contenders    the commands that are measured
    measure       one run, and its figures
    report, plot  medians as a table, JSON and a picture
    goals         what the proxy has to reach
    capacity, short, many, real, start, ready   other questions, each with an option of its own
    passthrough, handler_file   handlers for the stock SDK
"""
