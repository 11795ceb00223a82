"""Answers RunPod jobs from an engine over localhost HTTP, its SSE streams in batches.

::

    __main__      reads the environment, starts the SDK
    settings      what the environment says
    handler       one job: from its input to its outputs
    clients       the HTTP client of the engine
    errors        what a job can fail with, and what the engine says of it
    job_log       a job's line in the log
    excerpt       what messages and logs show of a caller's text
    engine/       requests to the engine, whether it is well
    losses/       jobs whose engine was lost
    request/      a job's input -> a request
    stream/       an answer's bytes -> batches
    awake         notices that the process stood still
    poll/         which jobs the platform has for us, and which are to stop
    wire/         HTTP, to the platform and to the engine
    platform/     the RunPod SDK: which jobs are taken, how they end, where outputs go

A job goes `poll.polls`, `platform.intake`, `platform.runner`, `platform.results`, `handler`,
`losses.tries`, `request.forms`, `engine`; a stream comes back `wire.answer`, `stream.sse`,
`stream.ramp`, `stream.batches`, `stream.outputs`, `handler`, `platform.results`.
"""
