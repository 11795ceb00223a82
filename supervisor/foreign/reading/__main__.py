"""Run by the worker's interpreter: `python -I -S .../foreign/reading`, arguments of `command`."""

import importlib
import sys
import types
from pathlib import Path

_FOLDER = Path(__file__).parent
_NAME = "_vllm_supervisor_foreign"


def main() -> int:
    """Read, with the folder above this one as a package: it has the choice of files. Its code."""
    sys.path[:] = [entry for entry in sys.path if Path(entry) != _FOLDER]
    package = types.ModuleType(_NAME)
    package.__path__ = [str(_FOLDER.parent)]
    sys.modules[_NAME] = package
    code: int = importlib.import_module(f"{_NAME}.{_FOLDER.name}.command").main(sys.argv[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
