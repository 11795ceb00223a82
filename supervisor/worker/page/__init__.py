"""The page of the control port: what it shows, and the page itself, which knows nothing alone.

document       the page, as a browser gets it
view           what it shows, as events for one who looks on
addresses      where callers reach the engine
samples        the last quarter of an hour in figures
recent         the last of the log
"""
