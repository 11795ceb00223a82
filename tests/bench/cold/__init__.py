"""Tests of the bench of starts, with the stand-in engine."""
