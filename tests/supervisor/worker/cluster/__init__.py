"""The nodes' own channel."""
