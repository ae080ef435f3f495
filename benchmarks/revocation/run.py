"""A revoked token is refused by every verifier within a second. See ``benchmarks/README.md``."""

import argparse
import json
import subprocess
import sys
import tempfile
from itertools import chain
from pathlib import Path

from tabulate import tabulate

from benchmarks.revocation import disturbances, latency
from benchmarks.revocation.verifiers import verifiers
from benchmarks.token_endpoint.machine import choose_cores, describe
from benchmarks.token_endpoint.places import BUILD
from tests.running_service import AUDIENCE, running_service

_FLOOR = 1.0  # seconds
_RESULT = BUILD / "revocation.json"


def main() -> int:
    """Measure latency, disturbances and memory; return 1 when the floor was missed."""
    options = _options()
    machine = describe(choose_cores())
    print(" · ".join(f"{name} {value}" for name, value in machine.items()))
    with tempfile.TemporaryDirectory() as folder:
        took = _latency(Path(folder) / "latency", options)
        rows = disturbances.measure(Path(folder) / "disturbed", min(options.verifiers, 5))
    print("\n" + tabulate(rows, headers=("disturbance", "measured", "seconds"), floatfmt=".2f"))
    memory = _memory(*((100_000, 10_000) if options.quick else (1_000_000, 100_000)))
    p99 = _percentile(sorted(chain.from_iterable(took.values())), 0.99)
    is_met = p99 <= _FLOOR
    print(f"\nfloor: p99 <= {_FLOOR:g} s: {p99:.3f} s: {'met' if is_met else 'MISSED'}")
    _RESULT.parent.mkdir(parents=True, exist_ok=True)
    _RESULT.write_text(
        json.dumps({"machine": machine, "seconds": took, "disturbances": rows, "memory": memory}, indent=1)
    )
    return 0 if is_met else 1


def _latency(folder: Path, options: argparse.Namespace) -> dict[str, list[float]]:
    with (
        running_service(folder, at_once=True) as service,
        verifiers(options.verifiers, service.base_url, AUDIENCE) as running,
    ):
        took = latency.measure(service, running, options.revocations, options.keys)
    number = sum(map(len, took.values()))
    print(f"\n{number} revocations, {options.verifiers} verifiers: call's return to refusal at the last, milliseconds")
    table = [_figures(kind, seconds) for kind, seconds in took.items()]
    table.append(_figures("all", list(chain.from_iterable(took.values()))))
    print(tabulate(table, headers=("kind", "number", "p50", "p99", "max"), floatfmt=".0f"))
    return took


def _figures(kind: str, seconds: list[float]) -> tuple[str, int, float, float, float]:
    ordered = sorted(seconds)
    return kind, len(ordered), _percentile(ordered, 0.5) * 1e3, _percentile(ordered, 0.99) * 1e3, ordered[-1] * 1e3


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _memory(revoked: int, verdicts: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.revocation.memory", str(revoked), str(verdicts)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    print(
        f"\nmemory of a verifier's process: {figures['empty']:.0f} MB, with {revoked:,} revoked tokens "
        f"{figures['with_revoked']:.0f} MB (taken in within {figures['seconds_to_apply']:.1f} s), with "
        f"{verdicts:,} verdicts besides {figures['with_verdicts']:.0f} MB"
    )
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 verifiers, 60 revocations, a tenth of the memory")
    parser.add_argument("--verifiers", type=int)
    parser.add_argument("--revocations", type=int)
    parser.add_argument("--keys", type=int, help="how many of them are signing keys, half a minute each")
    options = parser.parse_args()
    defaults = {"verifiers": 5, "revocations": 60, "keys": 1} if options.quick else {}
    for name, value in ({"verifiers": 20, "revocations": 500, "keys": 3} | defaults).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


if __name__ == "__main__":
    sys.exit(main())
