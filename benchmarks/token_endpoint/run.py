"""Tokens per second: the product, the bare server under it, and its peers. See ``benchmarks/README.md``."""

import argparse
import json
import os
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.postgresql.loads import DatabaseLoad, loads_table
from benchmarks.token_endpoint import contestants, metering, reporting
from benchmarks.token_endpoint.contestants import Contestant
from benchmarks.token_endpoint.installing import install_node_peer, install_python_peers, require_wrk
from benchmarks.token_endpoint.loading import CONNECTIONS
from benchmarks.token_endpoint.machine import choose_cores, describe
from benchmarks.token_endpoint.places import BUILD
from benchmarks.token_endpoint.rounds import Benchmark, say
from benchmarks.token_endpoint.stores import compare_stores

_GROUPS = ("product", "bare", "signing", "oidc-provider", "authlib", "django", "workers")
_STORES = ("postgresql", "postgresql-cold", "postgresql-usage", "nodes")
_ON_DEMAND = ("metering", *_STORES)
_QUICK_GROUPS = ("product", "bare", "signing")
_SIZES = (10, 100_000, 1_000_000)
_QUICK_SIZES = (10, 10_000)
_RESULT = BUILD / "token_endpoint.json"


def main() -> int:
    """Run what the command line asks for; return 1 when a promise is not kept."""
    options = _options()
    require_wrk()
    cores = choose_cores()
    os.sched_setaffinity(0, {cores.load})
    BUILD.mkdir(parents=True, exist_ok=True)
    benchmark = Benchmark(cores, options.seconds)
    with ExitStack() as stack:
        for contestant in _chosen(options):
            benchmark.start(contestant, stack, (cores.server,))
        if benchmark.servers or "signing" in options.only:
            benchmark.interleave(options.rounds, sign="signing" in options.only)
    found = reporting.ratios(
        {name: [one.rate for one in measured] for name, measured in benchmark.rounds.items()}
        | ({reporting.SIGNING: benchmark.signing} if benchmark.signing else {}),
        benchmark.rounds,
        [name for name in benchmark.rounds if name.startswith("product")],
    )
    if "workers" in options.only:
        found += _compare_workers(benchmark, options.sizes[1], options.rounds)
    if "metering" in options.only:
        found += _compare_metering(benchmark, options.sizes[1], options.rounds, quick=options.quick)
    loads: dict[str, DatabaseLoad] = {}
    if set(_STORES) & set(options.only):
        with TemporaryDirectory(dir=BUILD) as folder:
            compared, loads = compare_stores(benchmark, options.only, options.rounds, Path(folder), quick=options.quick)
        found += compared
    _report(benchmark, found, loads)
    return 0 if all(ratio.is_met for ratio in found) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of a minute, with few applications")
    parser.add_argument("--only", help=f"some of: {','.join((*_GROUPS, *_ON_DEMAND))}")
    parser.add_argument("--rounds", type=int, help="rounds of each server (3)")
    parser.add_argument("--seconds", type=int, help="length of a round (8)")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 3)
    options.seconds = options.seconds or (3 if options.quick else 8)
    options.sizes = _QUICK_SIZES if options.quick else _SIZES
    options.only = options.only.split(",") if options.only else list(_QUICK_GROUPS if options.quick else _GROUPS)
    if unknown := set(options.only) - {*_GROUPS, *_ON_DEMAND}:
        parser.error(f"--only knows no {', '.join(unknown)}")
    return options


def _chosen(options: argparse.Namespace) -> list[Contestant]:
    chosen = []
    if "product" in options.only or "bare" in options.only:
        products = [contestants.product(f"product_{size}", size) for size in options.sizes]
        chosen += products if "product" in options.only else products[:1]  # the bare server repeats its answer
        if "bare" in options.only:
            chosen.append(contestants.bare(like=products[0]))
    if "oidc-provider" in options.only:
        install_node_peer()
        chosen.append(contestants.node_oidc_provider())
    if {"authlib", "django"} & set(options.only):
        install_python_peers()
    if "authlib" in options.only:
        chosen.append(contestants.authlib_on_flask())
    if "django" in options.only:
        chosen.append(contestants.django_oauth_toolkit())
    return chosen


def _compare_workers(benchmark: Benchmark, applications: int, rounds: int) -> list[reporting.Ratio]:
    cores = benchmark.cores
    both = (cores.server, cores.load)
    spare = tuple(core for core in cores.all if core not in both)
    load = spare or both
    threads = min(2, len(load))
    with ExitStack() as stack:
        benchmark.start(contestants.product("product_one_worker", applications), stack, (cores.server,))
        benchmark.start(contestants.product("product_two_workers", applications, workers=2), stack, both)
        benchmark.warm_up("product_one_worker", 2, load)
        benchmark.warm_up("product_two_workers", 2, load)
        for number in range(rounds):
            say(f"one worker and two, round {number + 1} of {rounds}")
            order = [("product_one_worker", spare or (cores.load,)), ("product_two_workers", load)]
            for name, load_cores in order[:: -1 if number % 2 else 1]:
                benchmark.rounds.setdefault(name, []).append(benchmark.measure(name, load_cores, threads))
    return reporting.scaling(
        benchmark.rounds["product_one_worker"], benchmark.rounds["product_two_workers"], has_spare_cores=bool(spare)
    )


def _compare_metering(benchmark: Benchmark, applications: int, rounds: int, *, quick: bool) -> list[reporting.Ratio]:
    load = (benchmark.cores.load,)
    benchmark.seconds = benchmark.seconds if quick else metering.MINUTE
    with ExitStack() as stack:
        for contestant in metering.with_and_without(applications):
            benchmark.start(contestant, stack, (benchmark.cores.server,))
        measured = metering.take_turns(
            benchmark.servers,
            (metering.METERED, metering.UNMETERED),
            rounds,
            lambda name: benchmark.warm_up(name, benchmark.seconds, load),
            lambda name: benchmark.measure(name, load),
        )
    benchmark.rounds |= measured
    return metering.costs(measured)


def _report(benchmark: Benchmark, found: list[reporting.Ratio], loads: dict[str, DatabaseLoad]) -> None:
    titles = {name: server.contestant.title for name, server in benchmark.servers.items()}
    machine = describe(benchmark.cores)
    print("\n" + ", ".join(f"{name} {value}" for name, value in machine.items()))
    print(f"{CONNECTIONS} connections kept alive, server on core {benchmark.cores.server}, wrk on another\n")
    print(reporting.rounds_table(titles, benchmark.rounds, benchmark.signing), "\n")
    if loads:
        print(loads_table(titles, loads), "\n")
    print(reporting.ratios_table(found), "\n")
    if spoilt := reporting.disturbed(benchmark.rounds):
        print(f"Other processes used the machine during rounds of {', '.join(spoilt)}: run again when it is quiet.")
    result = {
        "at": int(time.time()),
        "machine": machine,
        "proofs": benchmark.proofs,
        "rounds": {name: [asdict(one) for one in measured] for name, measured in benchmark.rounds.items()},
        "signing": benchmark.signing,
        "loads": {name: asdict(load) for name, load in loads.items()},
        "ratios": [asdict(ratio) | {"median": ratio.middle, "is_met": ratio.is_met} for ratio in found],
    }
    _RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"All figures: {_RESULT}")


if __name__ == "__main__":
    raise SystemExit(main())
