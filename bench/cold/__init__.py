"""How long a cold start takes: the real engine under the supervisor, and bare beside it, in turn.

::

    start      one start, from its process to the tenth answer
    setups     where the model is: on disk, on a slow hub, on a slow volume, in a filled cache
    alone      how long a download or a read takes with nothing beside it
    imports    where the time of vLLM's imports goes; run by its interpreter
    measure    all of them in turn
    figures    their medians, and what they are to reach; pure
"""
