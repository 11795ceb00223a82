"""Tests of the proxy; each file mirrors a module."""
