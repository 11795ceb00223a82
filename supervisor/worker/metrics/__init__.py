"""The worker's figures for Prometheus and whoever else collects them.

::

    names     the list of them: name, type, labels, what each counts; docs and boards are made of it
    vllm      those that the engine tells, under names of ours
    readings  what each of them is now
    summary   one line a minute for the log
    registry  a registry of `prometheus_client` that collects these
    exported  the same by OTLP

Nothing is counted here: the proxy, the lifecycle and the engine have the totals.
"""
