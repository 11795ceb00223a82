"""How long the nodes' channel takes for each thing, in seconds."""

from __future__ import annotations

#: Without a word: three signs of life have not come, and then a node counts as gone.
SILENCE = 15.0
#: An answer with nothing new is held for so long; it is the pause between two signs of life.
HOLD = 5.0
#: Beyond HOLD, for an answer: a busy machine may leave a process without the CPU for seconds.
ANSWER = 4.0
CONNECT = 3.0
#: Until the next question after one that was not answered.
RETRY = 1.0
#: For followers to hear why rank 0 ends. They ask all the time.
LAST_WORDS = 5.0
#: The same where the nodes' settings differ: those that come up later hear it, too.
LAST_WORDS_TO_ALL = 30.0
