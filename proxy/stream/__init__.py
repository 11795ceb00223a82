"""The engine's stream to batches."""
