"""The image's health check: 0 if `/ping` says that the worker is ready.

Run every ten seconds, so it imports next to nothing.
"""

import http.client
import os
import sys

LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only compared


def main() -> int:
    """Ask; 1 and a sentence for anything but 200."""
    host = os.environ.get("CONTROL_HOST", "").strip()
    port = int(os.environ.get("PORT_HEALTH", "").strip() or 8001)
    connection = http.client.HTTPConnection(LOOPBACK.get(host, host), port, 4)
    try:
        connection.request("GET", "/ping")
        status = connection.getresponse().status
    except OSError as reason:
        print(f"nobody answers on port {port}: {reason.strerror or reason}")
        return 1
    print(f"/ping says {status}")
    return 0 if status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
