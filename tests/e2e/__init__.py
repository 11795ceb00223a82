"""End to end: the real vLLM, the real RunPod SDK, the real OpenAI client, real processes."""
