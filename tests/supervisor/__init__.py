"""Tests of the supervisor; each file mirrors a module."""
