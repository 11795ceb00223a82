"""`python -m tests.scale`: a thousand workers behind one endpoint, a third of them cut off at once.

::

    __main__   the command line
    run        one run: endpoint, workers, jobs, the cut
    workers    starts and ends the workers, looks at their processes
    light      workers that speak the protocol and do nothing else, hundreds in a process
    wire       their HTTP, and that of those who submit
    jobs       what is asked and answered
    verdict    what became of the jobs: lost, answered twice; pure
    figures    how fast, how evenly, at what cost; pure

The real workers are whole ones, with the stand-in engine; the platform is the emulator.
"""
