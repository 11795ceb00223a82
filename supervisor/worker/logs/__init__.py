"""The worker's log: what the engine and the proxy print, and our own lines among it.

In two forms (LOG_FORMAT): as text, where what they print stays as it came, and as JSON, where all
that leaves this process on stdout and stderr is one object a line.
"""

from .sink import LogSink

__all__ = ["LogSink"]
