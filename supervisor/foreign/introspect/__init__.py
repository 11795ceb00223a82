"""Prints the catalogue of the vLLM that is installed beside the interpreter that runs this folder.

    ENGINE_PYTHON .../foreign/introspect > catalogue.json

The console script's entry point is loaded and called with `parse_args` replaced by a trap
(`entry`), so what is read is the very parser that `vllm serve` would have used; `options`,
`conversion` and `features` describe it. `environment` reads which variables vLLM knows. It imports
nothing of ours beyond this folder.
"""
