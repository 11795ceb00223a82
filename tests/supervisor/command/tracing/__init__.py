"""The engine as an exporter of spans."""
