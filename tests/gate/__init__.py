"""The gate before the engine's server."""
