"""`python -m tests.hub --port N --repository NAME=FOLDER [...]`: a hub on the loopback.

--token T         private: without `Authorization: Bearer T` a repository does not exist
--gated           with it, one has not accepted the licence
--break-after N   the first `--breaks` answers with a file's content end after N bytes
--slow N          bytes a second of each file's content
--stall-after N   no answer with a file's content goes on after about N bytes, none ends
--commit C        what main is
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aiohttp import web

from tests.hub.application import COMMIT, Hub, application


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--repository", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--token", default="")
    parser.add_argument("--gated", action="store_true")
    parser.add_argument("--break-after", type=int, default=0)
    parser.add_argument("--breaks", type=int, default=1)
    parser.add_argument("--slow", type=int, default=0)
    parser.add_argument("--stall-after", type=int, default=0)
    parser.add_argument("--commit", default=COMMIT)
    asked = parser.parse_args(arguments)
    pairs = (text.split("=", 1) for text in asked.repository)
    hub = Hub(
        {name: Path(folder) for name, folder in pairs},
        asked.token,
        asked.gated,
        asked.break_after,
        asked.breaks,
        asked.slow,
        asked.stall_after,
        asked.commit,
    )
    serve = application(hub)
    web.run_app(serve, host="127.0.0.1", port=asked.port, print=None, shutdown_timeout=0.5)


if __name__ == "__main__":
    main(sys.argv[1:])
