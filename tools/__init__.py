"""Makes the project's environments and starts it from a checkout. Standard library only: this runs
before any environment exists.
"""
