"""The contract of our two processes, both ends of it."""
