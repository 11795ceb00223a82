"""Our child processes: each in a group of its own, guarded, its output in our log.

::

    child      one process group: spawned, signalled, seen to be gone
    launcher   what every child is started with
    output     what it prints
    guardian   kills what is left where we end without doing so
    orphans    what our children leave behind
"""
