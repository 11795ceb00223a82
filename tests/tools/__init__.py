"""Tests of how the environments are made."""
