"""Nodes on one PostgreSQL: what takes something away, and what an outage does. See ``benchmarks/README.md``."""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tabulate import tabulate

from benchmarks.nodes import disabling, outage, seeing
from benchmarks.nodes.cluster import NODES, Cluster, running_cluster
from benchmarks.nodes.disabling import Disabled
from benchmarks.nodes.promises import Promise, of_disabling, of_outage
from benchmarks.nodes.watchers import watchers
from benchmarks.token_endpoint.machine import choose_cores, describe
from benchmarks.token_endpoint.places import BUILD
from benchmarks.token_endpoint.rounds import say

_PARTS = ("disabling", "outage", "pause")
_RESULT = BUILD / "nodes.json"


def main() -> int:
    """Measure what the command line asks for; return 1 when a promise is not kept."""
    options = _options()
    machine = describe(choose_cores())
    say(" · ".join(f"{name} {value}" for name, value in machine.items()))
    result: dict[str, object] = {"machine": machine}
    promises: list[Promise] = []
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_cluster(Path(folder)) as cluster:
        say(f"{NODES} nodes with a worker each, and PostgreSQL, on the same machine")
        if "disabling" in options.only:
            promises += _disabling(cluster, options.disables, result)
        for name, how, seconds in (
            ("outage", outage.stopped, options.away),
            ("pause", outage.paused, options.paused),
        ):
            if name in options.only:
                say(f"\nPostgreSQL {how.__name__} for {seconds:g} s")
                seen_of = outage.observe(cluster, how, seconds)
                promises += _show_outage(seen_of, name, result)
    print("\n" + tabulate([promise.row() for promise in promises], headers=("", "measured", "promised", "")))
    result["promises"] = [asdict(promise) | {"is_met": promise.is_met} for promise in promises]
    _RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(f"All figures: {_RESULT}")
    return 0 if all(promise.is_met for promise in promises) else 1


def _disabling(cluster: Cluster, number: int, result: dict[str, object]) -> list[Promise]:
    measured: dict[str, list[Disabled]] = {}
    with cluster.load(), watchers([node.port for node in cluster.nodes]) as asking:
        for kind, (disable, fault) in disabling.kinds(cluster).items():
            say(f"disabling {number} applications: {kind}")
            measured[kind] = disabling.measure(cluster, asking, disable, number, fault)
    result["disabling"] = {kind: [asdict(each) for each in all_] for kind, all_ in measured.items()}
    rows = [_figures(kind, all_) for kind, all_ in measured.items()]
    head = (
        "milliseconds (p50 / p99 / max)",
        "number",
        "call took",
        "last token after the commit",
        "before the return",
        "tokens too late",
        "503s",
    )
    print("\n" + tabulate(rows, headers=head, disable_numparse=True, colalign=("left", *["right"] * 6)))
    return of_disabling(measured)


def _figures(kind: str, measured: list[Disabled]) -> list[str]:
    after_commit = [each.last - each.committed for each in measured if each.committed is not None]
    return [
        kind,
        str(len(measured)),
        _percentiles([each.returned - each.began for each in measured]),
        _percentiles(after_commit) if after_commit else "",
        f"at least {min(each.returned - each.last for each in measured) * 1e3:.0f}",
        str(sum(each.too_late for each in measured)),
        str(sum(each.others for each in measured)),
    ]


def _percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    chosen = [ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99, 1)]
    return " / ".join(f"{each * 1e3:.0f}" for each in chosen)


def _show_outage(observed: outage.Outage, name: str, result: dict[str, object]) -> list[Promise]:
    all_seen = seeing.what_was_seen(observed)
    head = ("seconds", "answers while it was away", "slowest", "last good", "first other", "good again", "last other")
    print(tabulate([seen.row() for seen in all_seen], headers=head, disable_numparse=True))
    print("last good at the last node and first other: after the database went")
    print("good again and last other at the last node: after it was back")
    print("log lines of all nodes, requests aside: ", end="")
    print(", ".join(f"{number} x {said}" for said, number in observed.log_lines.items()))
    result[name] = {
        "seconds": observed.back - observed.gone,
        "seen": [asdict(seen) for seen in all_seen],
        "log_lines": observed.log_lines,
    }
    return of_outage(name, all_seen)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="15 applications of each kind, 5 s without the database")
    parser.add_argument("--only", help=f"some of: {','.join(_PARTS)}")
    parser.add_argument("--disables", type=int, help="applications disabled of each kind (200)")
    parser.add_argument("--away", type=float, help="seconds for which PostgreSQL is stopped (60)")
    parser.add_argument("--paused", type=float, help="seconds for which it stands still (10)")
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else list(_PARTS)
    if unknown := set(options.only) - set(_PARTS):
        parser.error(f"--only knows no {', '.join(unknown)}")
    defaults = {"disables": 15, "away": 5.0, "paused": 5.0} if options.quick else {}
    for name, value in ({"disables": 200, "away": 60.0, "paused": 10.0} | defaults).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


if __name__ == "__main__":
    sys.exit(main())
