"""What is done for an engine while it still imports: fetched from the hub, read from the disk.

Started right after its spawn, and for nothing but time: a start goes on without it.
"""
