"""Tokens per second: the product, the bare server under it, and its peers. See ``benchmarks/README.md``."""

import argparse
import json
import os
import time
from contextlib import ExitStack
from dataclasses import asdict

from benchmarks.token_endpoint import contestants, metering, reporting
from benchmarks.token_endpoint.contestants import Contestant
from benchmarks.token_endpoint.installing import install_node_peer, install_python_peers, require_wrk
from benchmarks.token_endpoint.loading import CONNECTIONS, Round, run_round
from benchmarks.token_endpoint.machine import Cores, choose_cores, describe, signing_rate
from benchmarks.token_endpoint.places import BUILD
from benchmarks.token_endpoint.proving import prove
from benchmarks.token_endpoint.serving import running

_GROUPS = ("product", "bare", "signing", "oidc-provider", "authlib", "django", "workers")
_ON_DEMAND = ("metering",)
_QUICK_GROUPS = ("product", "bare", "signing")
_SIZES = (10, 100_000, 1_000_000)
_QUICK_SIZES = (10, 10_000)
_RESULT = BUILD / "token_endpoint.json"


class Benchmark:
    """One run: servers that are up, what they answered, and the rounds so far."""

    def __init__(self, cores: Cores, seconds: int) -> None:
        self.cores = cores
        self.seconds = seconds
        self.servers: dict[str, contestants.Server] = {}
        self.proofs: dict[str, str] = {}
        self.rounds: dict[str, list[Round]] = {}
        self.signing: list[float] = []
        self._answer_sizes: dict[str, int] = {}

    def start(self, contestant: Contestant, stack: ExitStack, cores: tuple[int, ...]) -> None:
        """Start a server on these cores until the stack ends, and prove that it does what it should."""
        command = [*self.cores.pinned(*cores), *contestant.command]
        process = stack.enter_context(running(contestant.name, command, contestant.environment, contestant.folder))
        server = contestants.Server(contestant, process)
        answer, proof = prove(server)
        if contestant.name.startswith("product"):
            contestants.keep_for_bare(answer.headers, answer.body)
        self.servers[contestant.name] = server
        self.proofs[contestant.name] = proof
        self._answer_sizes[contestant.name] = answer.size
        _say(f"started {contestant.title}: {proof}")

    def warm_up(self, name: str, seconds: int, load_cores: tuple[int, ...]) -> None:
        """Load a server without keeping the figures."""
        self.servers[name].contestant.bring_database_near()
        run_round(self.servers[name], seconds, self.cores.pinned(*load_cores), self._answer_sizes[name])

    def measure(self, name: str, load_cores: tuple[int, ...], threads: int = 1) -> Round:
        """Load a server for one round."""
        self.servers[name].contestant.bring_database_near()
        pinned = self.cores.pinned(*load_cores)
        measured = run_round(self.servers[name], self.seconds, pinned, self._answer_sizes[name], threads)
        _say(f"  {name}: {measured.rate:,.0f}/s, p99 {measured.p99_ms:.1f} ms, others {measured.others_cpu:.2f} CPU")
        return measured

    def interleave(self, rounds: int, *, sign: bool) -> None:
        """Load all servers one after the other, each time in another order."""
        load = (self.cores.load,)
        names = list(self.servers)
        for name in names:
            _say(f"warming up {name}")
            self.warm_up(name, min(4, self.seconds), load)
        for number in range(rounds):
            _say(f"round {number + 1} of {rounds}")
            shift = number * len(names) // rounds
            if sign:
                self.signing.append(signing_rate(self.cores, min(3, self.seconds)))
                _say(f"  signing: {self.signing[-1]:,.0f}/s")
            for name in names[shift:] + names[:shift]:
                self.rounds.setdefault(name, []).append(self.measure(name, load))


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
    _report(benchmark, found)
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
            _say(f"one worker and two, round {number + 1} of {rounds}")
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
            rounds,
            lambda name: benchmark.warm_up(name, benchmark.seconds, load),
            lambda name: benchmark.measure(name, load),
        )
    benchmark.rounds |= measured
    return metering.costs(measured)


def _report(benchmark: Benchmark, found: list[reporting.Ratio]) -> None:
    titles = {name: server.contestant.title for name, server in benchmark.servers.items()}
    machine = describe(benchmark.cores)
    print("\n" + ", ".join(f"{name} {value}" for name, value in machine.items()))
    print(f"{CONNECTIONS} connections kept alive, server on core {benchmark.cores.server}, wrk on another\n")
    print(reporting.rounds_table(titles, benchmark.rounds, benchmark.signing), "\n")
    print(reporting.ratios_table(found), "\n")
    if spoilt := reporting.disturbed(benchmark.rounds):
        print(f"Other processes used the machine during rounds of {', '.join(spoilt)}: run again when it is quiet.")
    result = {
        "at": int(time.time()),
        "machine": machine,
        "proofs": benchmark.proofs,
        "rounds": {name: [asdict(one) for one in measured] for name, measured in benchmark.rounds.items()},
        "signing": benchmark.signing,
        "ratios": [asdict(ratio) | {"median": ratio.middle, "is_met": ratio.is_met} for ratio in found],
    }
    _RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"All figures: {_RESULT}")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
