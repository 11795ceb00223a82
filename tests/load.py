"""vLLM's own load client, `vllm bench serve`, against any OpenAI base URL."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.processes import ROOT


def bench_serve(
    command: str, url: str, folder: Path, *, prompts: int, tokens: int, streams: int
) -> dict[str, Any]:
    """Run it with the demonstration model's tokenizer; the figures that it saves.

    Args:
        command: the engine's `vllm`.
        url: where `/v1/chat/completions` is.
        folder: for its result and its home.
        prompts: how many requests.
        tokens: of each answer.
        streams: requests at the same time.
    """
    result = folder / "result.json"
    done = subprocess.run(
        [
            command, "bench", "serve", "--backend=openai-chat", f"--base-url={url}",
            "--endpoint=/v1/chat/completions", "--model=demo",
            f"--tokenizer={ROOT / 'demo' / 'model'}", "--dataset-name=random",
            "--random-input-len=16", f"--random-output-len={tokens}", f"--num-prompts={prompts}",
            f"--max-concurrency={streams}", "--ignore-eos",
            "--save-result", f"--result-filename={result}",
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(result.read_text())
    return found
