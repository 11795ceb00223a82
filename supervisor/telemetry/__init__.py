"""What leaves the worker by OTLP. Imported only where OpenTelemetry's variables ask for it.

Modules:
    variables: what its SDK reads in this process
    instance, resource: who says it
    causes: why a request failed
    transport: the way to a collector, on which no redirect counts as arrived
    exporting: an exporter that fails is told of in one line
    points: Prometheus' metrics as OpenTelemetry's
    pushing: sends them again and again
"""
