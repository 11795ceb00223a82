"""Asks the platform for jobs, and which of them are to stop.

::

    polls   long polls, also after a freeze
    fetch   one poll: addresses and statuses
    polled  what it brings: JSON text to jobs
    stops   hears which jobs are to stop
"""
