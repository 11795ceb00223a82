"""What this machine has: its GPUs.

::

    gpus.py  which of them this container sees, without touching one
"""
