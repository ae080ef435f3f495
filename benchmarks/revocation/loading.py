"""Load on the service: token requests without end. ``python -m benchmarks.revocation.loading PORT BODY``."""

import http.client
import json
import sys
import time

_PER_SECOND = 200


def main() -> None:
    """Ask for a token some 200 times a second until standard input ends or the process is killed."""
    port, body = int(sys.argv[1]), sys.argv[2]
    json.loads(body)
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            while True:
                connection.request("POST", "/v1/applications/token", body, {"Content-Type": "application/json"})
                connection.getresponse().read()
                time.sleep(1 / _PER_SECOND)
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)


if __name__ == "__main__":
    main()
