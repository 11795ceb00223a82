"""One run of the engine, and what of it is watched.

::

    spawn      starts an engine
    run        from the spawn until nothing of its group is left
    health     questions at /health
    stall      whether a ready engine still works
    suspect    whether a job ended it, or its warm-up
    memory     whether the kernel killed a process for memory
    phases     what a start is doing, read from its log
    download   how far vLLM's own download is
    warmup     what a healthy engine is asked before the worker is ready
"""
