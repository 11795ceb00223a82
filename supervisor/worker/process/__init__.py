"""Our child processes: each in a group of its own, guarded, its output in our log.

::

    child      one process group: spawned, signalled, seen to be gone
    running    the program itself: its start, its end
    confined   it may look into no other process
    launcher   what every child is started with
    output     what it prints
    guardian   kills what is left where we end without doing so
    orphans    what our children leave behind
"""
