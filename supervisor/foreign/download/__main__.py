"""Run by the engine's interpreter: `ENGINE_PYTHON .../foreign/download`, arguments of `command`."""

import importlib
import sys
import types
from pathlib import Path

_FOLDER = Path(__file__).parent
_NAME = "_vllm_supervisor_download"  # as nothing in the engine's environment is called


def main() -> int:
    """Download, with this folder as a package under a name that hides nothing. The exit code."""
    # Python has put the folder on the path, where its modules would stand before others.
    sys.path[:] = [entry for entry in sys.path if Path(entry) != _FOLDER]
    package = types.ModuleType(_NAME)
    package.__path__ = [str(_FOLDER)]
    sys.modules[_NAME] = package
    code: int = importlib.import_module(f"{_NAME}.command").main(sys.argv[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
