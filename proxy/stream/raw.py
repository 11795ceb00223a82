"""Outputs of a kind of their own: what is handed over as it is, and what is no answer yet.

The platform's side tells them by their type.
"""

from __future__ import annotations


class RawJson(bytes):
    """JSON text that is handed over as it is. NaN and Infinity, which JSON has not, are not in it.

    To read a large answer and to write it again would hold up every other job.
    """

    __slots__ = ()


class Comment(str):
    """Comments of a stream of events, which keep a silent connection open.

    Nothing of the answer: a job that has had only these can be sent to the engine again.
    """

    __slots__ = ()
