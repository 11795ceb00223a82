"""Tests of what is around a worker in a run."""
