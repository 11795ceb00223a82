"""The variables with which the platform starts a worker."""

from __future__ import annotations

API_KEY = "emulator-key"


def worker_environment(
    base_url: str, endpoint: str = "local", worker_id: str = "worker-1", api_key: str = API_KEY
) -> dict[str, str]:
    """What a worker needs to take jobs from the emulator at `base_url`.

    The placeholders are the SDK's: job-take has `$ID` for the worker, the others `$RUNPOD_POD_ID`
    for the worker and `$ID` for the job. The `?` is needed because the SDK appends `&...`.
    """
    root = f"{base_url.rstrip('/')}/v2/{endpoint}"
    return {
        "RUNPOD_WEBHOOK_GET_JOB": f"{root}/job-take/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{root}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{root}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_PING": f"{root}/ping/$RUNPOD_POD_ID?gpu=none",
        "RUNPOD_POD_ID": worker_id,
        "RUNPOD_ENDPOINT_ID": endpoint,
        "RUNPOD_AI_API_KEY": api_key,
        "RUNPOD_PING_INTERVAL": "2000",  # ms; below 1000 the SDK would ping without a pause
    }
