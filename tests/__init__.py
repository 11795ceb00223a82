"""Tests of everything; `python -m tests.emulator` is usable by hand."""
