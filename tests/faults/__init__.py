"""What can go wrong, provoked with real processes: what the worker does about it."""
