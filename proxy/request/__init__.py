"""A job's input to a request of the engine."""
