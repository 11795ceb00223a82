"""Downloads a model's files into a folder: only those that vLLM loads.

    ENGINE_PYTHON .../foreign/download REPOSITORY REVISION FOLDER SUBFOLDER KIND [-- COMMAND ...]
    ENGINE_PYTHON .../foreign/download --ahead LIST

Run by the engine's interpreter, whose environment has `huggingface_hub`. It imports nothing of ours
beyond this folder.
"""
