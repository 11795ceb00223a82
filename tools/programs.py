"""Programs that tests run and no package of Python brings: `python3 -m tools.programs`."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools import folder, system
from tools.errors import SetupError, reported
from tools.progress import Progress

#: Where programs of an administrator lie.
SYSTEM_PATH = os.pathsep.join(["/usr/local/sbin", "/usr/sbin", "/sbin"])


@dataclass(frozen=True)
class Program:
    """What tests need of one package."""

    package: str  # Debian's
    is_there: Callable[[], bool]
    get: Callable[[Path], None]  # with a log; raises SetupError


def find(*names: str) -> str | None:
    """The path of the first of `names` that is on PATH or was unpacked; None without."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), str(_unpacked() / "usr" / "bin")])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def browser() -> str | None:
    """The path of Chromium, or of Chrome, which does the same; None without."""
    return find("chromium", "google-chrome")


def ip() -> str | None:
    """The path of `ip`, which makes networks; None without."""
    return find("ip") or shutil.which("ip", path=SYSTEM_PATH)


def _get_prometheus(log: Path) -> None:
    # Installed, Debian's package would start a server on port 9090, now and at each boot.
    part = _unpacked().with_suffix(".part")
    for each in (part, _unpacked()):
        folder.remove(each)
    system.unpack_package("prometheus", part, "A test of the alerts", log)
    part.rename(_unpacked())


def _get_chromium(log: Path) -> None:
    system.install_packages(["chromium"], "A test of the page", log)


def _get_iproute(log: Path) -> None:
    system.install_packages(["iproute2"], "A test of the cluster", log)


PROGRAMS = (
    Program("prometheus", lambda: bool(find("prometheus") and find("promtool")), _get_prometheus),
    Program("chromium", lambda: browser() is not None, _get_chromium),
    Program("iproute2", lambda: ip() is not None, _get_iproute),
)


def _unpacked() -> Path:
    return folder.cache() / "prometheus"


def get(programs: tuple[Program, ...], progress: Callable[[int], Progress] = Progress) -> None:
    """Get what is missing of `programs`.

    What cannot be had is named, and left to the tests to skip; with CI set it raises SetupError.
    """
    missing = [each for each in programs if not each.is_there()]
    display = progress(len(missing))
    root = folder.cache()
    for each in missing:
        try:
            with (
                folder.locked("programs", root, display.say),
                display.step(f"tests: getting Debian's {each.package}"),
            ):
                if not each.is_there():
                    each.get(root / "programs.log")
        except SetupError as reason:
            if os.environ.get("CI"):
                raise
            display.say(f"note: {reason}")


def main() -> int:
    """Get all of them; costs a few look-ups where they are there."""
    get(PROGRAMS)
    return 0


if __name__ == "__main__":
    raise SystemExit(reported(main))
