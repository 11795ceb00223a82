"""Relays RunPod jobs to the engine over localhost HTTP, and its SSE stream back in batches.

How data flows: the SDK (`sdk`) calls `handler` with a job; `jobs` makes a request of it, `routes`
says whether it may go there, `engine` sends it; the stream's bytes are cut by `sse`, gathered by
`batching`, given the native form by `native` where that was asked for, and yielded to the SDK.
"""
