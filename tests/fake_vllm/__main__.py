"""`python tests/fake_vllm serve MODEL ...`, from wherever the folder is."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a folder it is no package yet. Last on the path, its neighbours shadow nothing.
    folder = Path(__file__).resolve().parent
    sys.path.append(str(folder.parent))
    process = importlib.import_module(f"{folder.name}.process")
    sys.exit(process.main(sys.argv[1:], dict(os.environ)))
