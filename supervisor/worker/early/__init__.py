"""What is done for an engine while it still imports: fetched, read from the disk, noted down.

Started right after its spawn, and for nothing but time: a start goes on without it.
"""
