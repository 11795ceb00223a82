"""The control port, part by part."""
