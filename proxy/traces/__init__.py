"""One id from end to end: what the engine is told of a job's place in its caller's trace.

Modules:
    context: the trace that a job's input names; pure
    trace: the headers by which the engine knows a job, and what is told of it
    spans: the same as a span of OpenTelemetry's; imported only where these are exported
"""
