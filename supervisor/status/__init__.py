"""What is told of a worker to those who ask.

::

    query   asks one, and says it to a person
    parts   the parts of a start, and how they are shown. Pure
"""
