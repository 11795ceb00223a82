"""pip, kept quiet: progress while it works, its last lines and one sentence when it fails."""

import os
import re
import signal
import sys
from pathlib import Path

from tools import commands
from tools.errors import PackageMissing, SetupError
from tools.progress import Progress

# What would make pip install elsewhere than into the environment, or leave part of the work out.
UNWANTED = """PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX __PYVENV_LAUNCHER__
    PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_HASHES PIP_REQUIRE_VIRTUALENV PIP_DRY_RUN""".split()
LAST_LINES = 30
NO_SPACE = "No space left on device"
NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError"
    r"|Failed to establish a new connection|Network is unreachable|Connection (refused|reset)"
    r"|Temporary failure in name resolution|Read timed out|Remote end closed connection"
)
MISSING = re.compile(r"No matching distribution found for ([^\s(]+)")
TAMPERED = re.compile(r"DO NOT MATCH THE HASHES")
DIFFERS = re.compile(r"^\s+(\S+?==[^\s;]+)\S*(?: ;.*)? from ")
RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
QUIETER = re.compile(r"^(WARNING: Location|Looking in |Requirement already satisfied)")


def environment(folder: Path) -> dict[str, str]:
    """Return the caller's environment, fit for pip in the virtual environment `folder`."""
    scratch = (
        folder / ".tmp"
    )  # /tmp may be a small memory disk, and a broken-off try leaves no rest here
    scratch.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    settled = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0"}
    return kept | settled | {"TMPDIR": str(scratch)}


def install(
    folder: Path, log: Path, progress: Progress, *arguments: str, quiet_if_missing: bool = False
) -> None:
    """Run `pip install ARGUMENTS` in the virtual environment `folder`.

    Bytecode is left to `tools.bytecode`, which is faster. Raises SetupError, PackageMissing if no
    index has it, after showing pip's last lines (not those of a missing package if so asked).
    """
    python = str(folder / "bin" / "python")
    display = ["--progress-bar", "raw" if _has_raw_progress(folder) else "off"]
    command = [python, "-m", "pip", "install", "--no-compile", *display, *arguments]
    watched = _Watch(progress)
    code = commands.run(command, log, env=environment(folder), on_line=watched)
    if code == 0:
        return
    error = explained(code, watched.lines, log)
    if not (quiet_if_missing and isinstance(error, PackageMissing)):
        shown = [line for line in watched.lines if not QUIETER.match(line)]
        progress.say("\n".join(["", *shown[-LAST_LINES:]]))
    raise error


def explained(code: int, lines: list[str], log: Path) -> SetupError:
    """Turn pip's exit code and output into one sentence with its remedy."""
    text = "\n".join(lines)
    if code == -signal.SIGKILL:
        return SetupError(
            "pip was killed, most likely for want of memory: free some and try again."
        )
    if NO_SPACE in text:
        return SetupError(
            "There is no space left on the disk: free some, or set XDG_CACHE_HOME to a larger one."
        )
    if NO_NETWORK.search(text):
        return SetupError(
            "The package index cannot be reached: check the network, or pip's index and proxy "
            "settings, and run the same command again."
        )
    if TAMPERED.search(text):
        named = next((match[1] for line in lines if (match := DIFFERS.match(line))), "a package")
        return SetupError(
            f"The package index has another file for {named} than the one that was pinned: take "
            "another index, or find out who changed it; nothing of it was installed."
        )
    if missing := MISSING.search(text):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return PackageMissing(
            f"No configured package index has {missing[1]} for Python {version} on this machine: "
            "try another one, such as PYTHON=python3.12, or check pip's index settings."
        )
    return SetupError(f"pip ended with exit code {code}: its last lines say why, all are in {log}.")


class _Watch:
    """Turns pip's lines into a note on the progress line, and keeps them."""

    def __init__(self, progress: Progress) -> None:
        self.lines: list[str] = []
        self._progress = progress
        self._found = 0

    def __call__(self, line: str) -> bool:
        line = line.rstrip()
        if match := RAW_PROGRESS.search(line):
            done, total = (int(figure) / 1e6 for figure in match.groups())
            self._progress.note(f"package {self._found}, {done:.0f} of {total:.0f} MB")
            return False
        self.lines.append(line)
        if line.startswith("Collecting "):
            self._found += 1
            name = re.split(r"[=<>!~;\[]", line.split()[1])[0]
            self._progress.note(f"package {self._found}: {name}")
        elif line.startswith("Installing collected packages"):
            self._progress.note("unpacking")
        return True


def _has_raw_progress(folder: Path) -> bool:
    """Tell whether this pip is 24.1 or newer; older ones refuse the option's value."""
    found = next(folder.glob("lib/python*/site-packages/pip-*.dist-info"), None)
    parts = re.findall(r"\d+", found.name) if found else []
    return [int(part) for part in parts[:2]] >= [24, 1]
