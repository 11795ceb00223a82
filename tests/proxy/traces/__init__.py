"""What the engine is told of a job, and what is noted of it."""
