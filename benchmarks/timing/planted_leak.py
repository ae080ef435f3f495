"""The product with a leak planted by the benchmark: requests of one kind take 20 µs longer. The test must find it.

Run as a program with a port, it is the product's own server, but for the leak.
"""

import os
import sys
from time import perf_counter_ns

from sensos_auth.server import serving, worker
from sensos_auth.server.asgi import Header, Receive, Scope, Send

LEAK_NANOSECONDS = 20_000


def sample_header(*, leaky: bool) -> Header:
    """Return the header that every request of the benchmark carries; the product takes no notice of it."""
    return (b"x-sample", b"leaky" if leaky else b"plain")


_LEAKY = sample_header(leaky=True)


def leak(scope: Scope) -> None:
    """Wait busily before a request whose header says so."""
    if scope["type"] == "http" and _LEAKY in scope["headers"]:
        end = perf_counter_ns() + LEAK_NANOSECONDS
        while perf_counter_ns() < end:
            pass


class LeakingWorker(worker.Worker):
    """The product's worker process, with the leak."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request as the product does, some of them later."""
        leak(scope)
        await super().__call__(scope, receive, send)


if __name__ == "__main__":
    worker.worker = lambda: LeakingWorker(os.environ)  # its worker processes are forks of this one
    serving.serve(host="127.0.0.1", port=int(sys.argv[1]), workers=1)
