"""A local RunPod Serverless endpoint: the public API on one side, the SDK's protocol on the other.

    python -m tests.emulator --port 9000              # prints the base URL for OpenAI clients
    python -m tests.emulator --port 9000 --print-env  # prints what a worker needs to find it

A worker started with those variables takes the jobs of

    curl localhost:9000/v2/local/run -d '{"input": {"prompt": "hi"}}'
    curl localhost:9000/v2/local/{status,stream}/ID; curl -X POST localhost:9000/v2/local/cancel/ID
    OpenAI(base_url="http://localhost:9000/v2/local/openai/v1", api_key="any")

Users' keys are not looked at; the worker's key is. `--latency-ms` puts the platform as far away as
it is in the world, `--no-keep-outputs` keeps memory small: outputs then go to whoever streams a
job at that moment, and only their times and sizes stay.

For tests there is more, below `/_emulator/`:

    GET    jobs/ID   what `status` shows, and: input, posts [{at, time, bytes, output}], done (how
                     often the end was reported), redelivered, retried, refused (too large)
    POST   jobs      the same of the jobs whose ids the body lists
    POST   raw/ID    submits a job that a worker gets as it stands: the body, whatever is in it
    GET    workers   {name: {last_seen, pings, last_ping, parameters, unhealthy, polled, lost}}
    GET    log       the workers' last 10,000 requests, in order of arrival
    POST   faults    {"path": "job-take|job-stop|job-stream|job-done|ping", "status": 500,
                     "times": 1, "close": false, "delay_ms": 0}: what happens instead of an answer
    DELETE faults    back to normal
    POST   cut       {"workers": [...], "seconds": 5}: cuts their connections, for so long new ones
    GET    cut       {name: seconds until it was heard again, or null}

`at` and the like are `time.monotonic()`, which all processes of one Linux machine share.

`jobs` and `queue` know no HTTP. `public`, `openai` and `worker` are the platform's three
faces, `control` is the tests' own; `world` is what they share, `app` puts them together.
"""
