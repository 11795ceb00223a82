"""Tests of the bench: that its figures are what they say, not how large they are."""
