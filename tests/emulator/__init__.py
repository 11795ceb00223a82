"""A local RunPod endpoint: the public API on one side, the SDK's protocol on the other.

    python -m tests.emulator --port 9000

Users submit jobs to `/v2/local/run`, or point an OpenAI client at `/v2/local/openai/v1`; a worker
with the variables of `--print-env` takes them. `/_emulator/` shows what happened, injects faults.

`jobs` holds the queue and knows no HTTP; `public`, `openai` and `worker` are its three faces;
`control` is the tests' own.
"""
