"""What this machine has: its GPUs, its ports, its addresses, its threads.

::

    gpus.py     which of them this container sees, without touching one
    memory.py   how much memory they have
    ports.py    which are free, and who has the others
    network.py  the addresses, for several nodes
    threads.py  those for whose end no loop waits
"""
