"""What it costs to share limits, and what asking the server for each token would. See ``benchmarks/README.md``."""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

from benchmarks.token_endpoint.places import BUILD
from sensos_auth.server.limits_server import LimitsServer
from sensos_auth.server.limits_url import limits_url
from sensos_auth.server.shared_buckets import SharedBuckets, Told
from sensos_auth.server.token_buckets import Limit, TokenBuckets
from tests.redis_server import redis_server

_RESULT = BUILD / "limits.json"
_LIMIT = Limit(1_000_000, 1, 1_000_000)  # never reached
# Takes between two exchanges: a tenth of a second at some 10 000 tokens a second, which is a busy worker.
_AT_ONCE = 1_000
_MOST_NANOSECONDS = 500  # that recording a take may add to it


def main() -> int:
    """Measure; return 1 when a shared take costs more than half a microsecond beside what it costs alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--applications", type=int, default=100_000, help="that tokens are drawn for (100000)")
    parser.add_argument("--blocks", type=int, default=300, help="of 1000 takes (300)")
    parser.add_argument("--round-trips", type=int, default=5_000, help="(5000)")
    options = parser.parse_args()
    names = [f"app_{random.getrandbits(128):032x}" for _ in range(options.applications)]
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as redis:
        url = limits_url({"SENSOS_AUTH_LIMITS_URL": redis.url})
        assert url is not None
        server = LimitsServer(url, "https://auth.example.com")
        figures = _takes(names, options.blocks, server) | _round_trips(names, options.round_trips, server)
        server.close()
    print(tabulate(figures.items(), headers=["", "µs"], floatfmt=".2f"))
    _RESULT.parent.mkdir(parents=True, exist_ok=True)
    _RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\nAll figures: {_RESULT}")
    added = figures["take, shared"] - figures["take, alone"]
    return 0 if added * 1000 <= _MOST_NANOSECONDS else 1


def _takes(names: list[str], blocks: int, server: LimitsServer) -> dict[str, float]:
    """Return what a take costs alone and shared, and what is done beside the requests for it: µs of CPU time each."""
    alone, together = TokenBuckets(_LIMIT), TokenBuckets(_LIMIT)
    shared = SharedBuckets(together)
    costs: dict[str, list[float]] = {}

    def note(what: str, began: int) -> None:
        costs.setdefault(what, []).append((time.thread_time_ns() - began) / 1000 / _AT_ONCE)

    for number in range(blocks):
        some = random.choices(names, k=_AT_ONCE)  # noqa: S311 - no secret
        pairs = [("take, alone", alone), ("take, shared", together)]
        for what, buckets in pairs[:: -1 if number % 2 else 1]:
            began = time.thread_time_ns()
            for name in some:
                buckets.take(name)
            note(what, began)
        began = time.thread_time_ns()
        batch = shared.collect()
        note("event loop: putting an exchange together", began)
        began = time.thread_time_ns()
        lacking = server.add("benchmark", batch.told)
        note("thread: the exchange", began)
        began = time.thread_time_ns()
        shared.take_in(batch, lacking)
        note("event loop: taking the answer in", began)
    return {what: statistics.median(each) for what, each in costs.items()}


def _round_trips(names: list[str], number: int, server: LimitsServer) -> dict[str, float]:
    """Return what it costs to ask for one token: the time that somebody waits, and CPU time, in µs."""
    waits, began = [], time.thread_time_ns()
    for name in random.choices(names, k=number):  # noqa: S311 - no secret
        asked = time.perf_counter_ns()
        server.add("benchmark", [Told(name, 1, 1)])
        waits.append((time.perf_counter_ns() - asked) / 1000)
    spent = (time.thread_time_ns() - began) / 1000 / number
    waits.sort()
    return {
        "a round trip for one take, over loopback": statistics.median(waits),
        "a round trip for one take, 99th percentile": waits[number * 99 // 100],
        "a round trip for one take, CPU time": spent,
    }


if __name__ == "__main__":
    sys.exit(main())
