"""One engine: its run, its health, its start."""
