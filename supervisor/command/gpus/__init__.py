"""What a command asks of the GPUs. Pure.

::

    parallel.py  among how many of them the model is divided
    demand.py    what of their memory it may use
"""
