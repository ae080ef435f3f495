"""A refused token request takes the same time whatever the reason. See ``benchmarks/README.md``."""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict

from tabulate import tabulate

from benchmarks.timing.causes import REFERENCE, make_registry
from benchmarks.timing.in_process import InProcess, call
from benchmarks.timing.over_loopback import OverLoopback, message
from benchmarks.timing.pairing import Interval, Request, median_interval, sample
from benchmarks.timing.planted_leak import LEAK_NANOSECONDS
from benchmarks.token_endpoint.machine import choose_cores
from benchmarks.token_endpoint.places import BUILD, PRODUCT, REPOSITORY
from benchmarks.token_endpoint.serving import running

_IN_PROCESS_BOUND = 5.0
_LOOPBACK_BOUND = 50.0
_PLANTED = f"PLANTED: {LEAK_NANOSECONDS / 1000:g} µs more"
_WARM_UP = 200
_RESULT = BUILD / "timing.json"
_SERVE = ("serve", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1")


def main() -> int:
    """Measure in process and over loopback; return 1 when causes differ, or the planted leak stays hidden."""
    options = _options()
    cores = choose_cores()
    os.sched_setaffinity(0, {cores.load})
    folder, bodies = make_registry()
    environment = {"SENSOS_AUTH_DATA_DIR": str(folder)}
    planted = bodies[REFERENCE]

    calls = {cause: [call(body) for body in pool] for cause, pool in bodies.items()}
    calls[_PLANTED] = [call(body, leaky=True) for body in planted]
    in_process = _measure("in process", InProcess(folder).measure, calls, options.in_process)

    pinned = cores.pinned(cores.server)
    messages = {cause: [message(body) for body in pool] for cause, pool in bodies.items()}
    command = [*pinned, str(PRODUCT / "sensos-auth"), *_SERVE]
    with running("timing", command, environment, REPOSITORY) as server, closing(OverLoopback(server.port)) as asked:
        loopback = _measure("over loopback", asked.measure, messages, options.loopback)

    messages = {REFERENCE: messages[REFERENCE], _PLANTED: [message(body, leaky=True) for body in planted]}
    command = [*pinned, sys.executable, "-m", "benchmarks.timing.planted_leak", "{port}"]
    with running("timing_leak", command, environment, REPOSITORY) as leaky, closing(OverLoopback(leaky.port)) as asked:
        loopback |= _measure("planted, over loopback", asked.measure, messages, options.loopback)

    kept = [
        _report("in process", in_process, _IN_PROCESS_BOUND, options.in_process),
        _report("over loopback", loopback, _LOOPBACK_BOUND, options.loopback),
    ]
    ways = {"in process": in_process, "over loopback": loopback}
    figures = {way: {cause: asdict(one) for cause, one in found.items()} for way, found in ways.items()}
    _RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"All figures: {_RESULT}")
    return 0 if all(kept) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in-process", type=int, default=200_000, help="pairs of each cause in process (200000)")
    parser.add_argument("--loopback", type=int, default=20_000, help="pairs of each cause over loopback (20000)")
    return parser.parse_args()


def _measure(
    way: str,
    measure: Callable[[Request], Awaitable[int]],
    pools: Mapping[str, Sequence[Request]],
    pairs: int,
) -> dict[str, Interval]:
    started = time.monotonic()

    def progress(done: int) -> None:
        if done % max(1, pairs // 10) == 0:
            print(f"{way}: {done:,} of {pairs:,} pairs of each cause, {time.monotonic() - started:.0f} s", flush=True)

    async def both() -> dict[str, Interval]:
        await sample(measure, pools, REFERENCE, _WARM_UP, lambda _: None)
        differences = await sample(measure, pools, REFERENCE, pairs, progress)
        return {cause: median_interval(found) for cause, found in differences.items()}

    return asyncio.run(both())


def _report(way: str, found: Mapping[str, Interval], bound: float, pairs: int) -> bool:
    rows = []
    kept = True
    largest = max(max(abs(one.low), abs(one.high)) for cause, one in found.items() if cause != _PLANTED)
    for cause, one in found.items():
        if cause == _PLANTED:
            # Found means: told apart from every real cause, on the side where it was planted.
            good = one.low > largest
            verdict = "found" if good else "NOT FOUND"
        else:
            good = one.is_within(bound)
            verdict = "equal" if good else "DIFFERS"
        kept = kept and good
        rows.append([cause, f"{one.median:+.2f}", f"{one.low:+.2f} to {one.high:+.2f}", verdict])
    print(f'\nDifference to "{REFERENCE}" {way} in µs: {pairs:,} pairs each, allowed ± {bound:g}.')
    print("The answers were the same, byte for byte and header for header, but for request ID and date.\n")
    head = ["", "median", "99.9 % interval", ""]
    print(tabulate(rows, head, disable_numparse=True, colalign=("left", "right", "right", "left")), "\n")
    return kept


if __name__ == "__main__":
    raise SystemExit(main())
