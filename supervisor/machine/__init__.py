"""What this machine has: its GPUs.

::

    gpus.py    which of them this container sees, without touching one
    memory.py  how much memory they have
"""
