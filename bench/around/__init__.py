"""What is around a worker in a run, made as cheap as it can be: it must not be what is measured.

::

    wire          the least HTTP/1.1 server
    engine        streams tokens that say when they were sent
    platform      hands out jobs, takes what comes of them
    tally         what the platform saw; pure
    certificate   for a platform that speaks TLS
    processes     starts, reads and ends processes
    recorded      engine and platform in memory, the proxy between them in this process
"""
