"""Run by the engine's interpreter: `ENGINE_PYTHON .../foreign/introspect > catalogue.json`.

Exit code 3 and a traceback on stderr where no way in works.
"""

import importlib
import os
import sys
import traceback
import types
from pathlib import Path

_FOLDER = Path(__file__).parent
_NAME = "_vllm_supervisor_introspect"  # as nothing in the engine's environment is called


def main() -> None:
    """Print the catalogue, with this folder as a package under a name that hides nothing."""
    # Python has put the folder on the path, where its modules would stand before others.
    sys.path[:] = [entry for entry in sys.path if Path(entry) != _FOLDER]
    package = types.ModuleType(_NAME)
    package.__path__ = [str(_FOLDER)]
    sys.modules[_NAME] = package
    importlib.import_module(f"{_NAME}.catalogue").main()


if __name__ == "__main__":
    try:
        main()
    except BaseException:  # noqa: BLE001 - the caller reads the reason from stderr
        traceback.print_exc()
        os._exit(3)
    # Skips torch's teardown, 2 to 3 s; and nothing of vLLM is worth an orderly end here.
    os._exit(0)
