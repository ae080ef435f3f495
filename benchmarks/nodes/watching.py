"""Asks one node for tokens of an application, again and again, in a process of its own: ``… watching PORT``.

Reads orders, lines of JSON: ``{"watch": body}`` begins, and is answered once there was a token; ``{"stop": ""}`` ends,
and is answered with when the last token was asked for and when it came, and what else came. Times are those of the
clock that all processes of the machine share.
"""

import http.client
import json
import sys
import time
from collections import Counter
from queue import Empty, SimpleQueue
from threading import Thread

_PATH = "/v1/applications/token"
_HEADERS = {"Content-Type": "application/json"}
_PAUSE = 0.001  # seconds between two requests


class _Watch:
    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._body = ""
        self._began = 0.0
        self._came = 0.0
        self._answers: Counter[int] = Counter()

    def begin(self, body: str) -> None:
        self._body = body
        self._answers.clear()
        while not self._answers[200]:
            self.ask()

    def ask(self) -> None:
        began = time.monotonic()
        self._connection.request("POST", _PATH, self._body, _HEADERS)
        answer = self._connection.getresponse()
        answer.read()
        self._answers[answer.status] += 1
        if answer.status == 200:
            self._began, self._came = began, time.monotonic()

    def report(self) -> dict[str, object]:
        self._connection.close()  # or the node does, when nothing is asked for a while
        return {"began": self._began, "came": self._came, "answers": dict(self._answers)}


def main() -> None:
    """Go on until standard input ends."""
    watch = _Watch(int(sys.argv[1]))
    orders: SimpleQueue[dict[str, str] | None] = SimpleQueue()
    Thread(target=_read, args=(orders,), daemon=True).start()
    is_watching = False
    while (order := _next(orders, waits=not is_watching)) is not None:
        if "watch" in order:
            watch.begin(order["watch"])
            is_watching = True
            _say({})
        elif "stop" in order:
            is_watching = False
            _say(watch.report())
        elif is_watching:
            watch.ask()
            time.sleep(_PAUSE)


def _next(orders: "SimpleQueue[dict[str, str] | None]", *, waits: bool) -> dict[str, str] | None:
    try:
        return orders.get(block=waits)
    except Empty:
        return {}


def _read(orders: "SimpleQueue[dict[str, str] | None]") -> None:
    for line in sys.stdin:
        orders.put(json.loads(line))
    orders.put(None)


def _say(members: dict[str, object]) -> None:
    print(json.dumps(members), flush=True)


if __name__ == "__main__":
    main()
