"""How the environments are made: the worker's, the developer's and the engine's.

Runs on the system's Python before anything is installed, so it needs the standard library only.
"""
