"""What leaves the worker by OTLP. Where OpenTelemetry's variables do not ask for that, nothing of
it is imported but causes and instance, which need none of its packages.

Modules:
    variables: what its SDK reads in this process
    instance, resource: who says it
    causes: why a request failed
    transport: the way to a collector, on which no redirect counts as arrived
    exporting: an exporter that fails is told of in one line
    points: Prometheus' metrics as OpenTelemetry's
    pushing: sends them again and again
"""
