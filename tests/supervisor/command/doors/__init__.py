"""The doors of an engine."""
