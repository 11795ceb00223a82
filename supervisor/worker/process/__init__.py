"""Our child processes: each in a group of its own, guarded, its output in our log."""
