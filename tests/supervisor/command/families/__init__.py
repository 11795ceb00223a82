"""Tests of what the families of models need."""
