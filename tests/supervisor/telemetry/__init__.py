"""What leaves the worker by OTLP."""
