"""Write every generated file; with --check only say which are stale, exit code 1."""

from __future__ import annotations

import argparse

from tools.docs import bake, boards, common, console, hub, migrate, operations, page, recipes
from tools.worker import CHECKOUT


def rendered() -> dict[str, str]:
    """Every generated file: its path in the checkout -> its text."""
    return {
        "supervisor/catalog/common.json": common.text(),
        "worker-config.json": console.text(),
        ".runpod/hub.json": hub.listing(),
        ".runpod/tests.json": hub.tests(),
        "docker-bake.hcl": bake.text(),
        "docs/configuration.md": page.text(),
        "docs/operations.md": operations.text(),
        "docs/migrate.md": migrate.text(),
        "docs/recipes.md": recipes.text(page.memory_share()),
        **boards.rendered(),
    }


def stale() -> dict[str, str]:
    """Those that differ from what would be written: path -> text."""
    return {path: text for path, text in rendered().items() if not _is(path, text)}


def _is(path: str, text: str) -> bool:
    file = CHECKOUT / path
    return file.is_file() and file.read_text(encoding="utf-8") == text


def main() -> int:
    """Write what has changed; 1 with --check where something would."""
    parser = argparse.ArgumentParser(prog="tools.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    old = stale()
    for path, text in old.items():
        print(f"{'stale' if check else 'written'}: {path}")
        if not check:
            (CHECKOUT / path).parent.mkdir(parents=True, exist_ok=True)
            (CHECKOUT / path).write_text(text, encoding="utf-8")
    return 1 if check and old else 0


if __name__ == "__main__":
    raise SystemExit(main())
