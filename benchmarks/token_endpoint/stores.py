"""The product on PostgreSQL beside the same on SQLite: what it holds in memory, what it has to read, and two nodes.

PostgreSQL runs on the load generator's core: that of the server is the node's alone. Usage is not counted here, because
it is written once a minute, in some rounds and not in others; ``usage`` compares whole minutes with it.
"""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.postgresql.loads import DatabaseLoad, counted, load_between
from benchmarks.postgresql.server import PostgresqlServer, postgresql_server
from benchmarks.token_endpoint.contestants import Contestant, product, product_on_postgresql
from benchmarks.token_endpoint.loading import Round
from benchmarks.token_endpoint.machine import standing_still
from benchmarks.token_endpoint.metering import MINUTE, take_turns
from benchmarks.token_endpoint.population import populate_postgresql
from benchmarks.token_endpoint.reporting import Ratio, scaling
from benchmarks.token_endpoint.rounds import Benchmark, say

_ISSUER = {"SENSOS_AUTH_ISSUER": "https://auth.example.com"}
_UNCOUNTED = _ISSUER | {"SENSOS_AUTH_USAGE": "off"}
_WARM, _QUICK_WARM = (10, 10_000), (10, 2_000)
# More than a node holds at once.
_COLD, _QUICK_COLD = 100_000, 50_000
_LEAST = 0.95
_WARM_UP = 8  # seconds


class Stores:
    """A PostgreSQL server, and the product on it and on SQLite."""

    def __init__(self, benchmark: Benchmark, server: PostgresqlServer, folder: Path, rounds: int) -> None:
        self.benchmark = benchmark
        self.loads: dict[str, DatabaseLoad] = {}
        self._server = server
        self._folder = folder
        self._rounds = rounds
        self._load = (benchmark.cores.load,)

    def warm(self, sizes: tuple[int, ...]) -> list[Ratio]:
        """Compare the stores when everything is held in memory."""
        found = []
        for size in sizes:
            found += self._compare([self._on_sqlite(size), self._held_on_postgresql(size)], f"{size:,} held")
        return found

    def cold(self, size: int) -> list[Ratio]:
        """Have tokens made for more applications than are held: at random, and so that none is held."""
        postgresql = self._on_postgresql(size)
        in_turn = replace(
            postgresql, name=f"{postgresql.name}_in_turn", title=f"{postgresql.title} in turn, none held", in_turn=True
        )
        found = []
        sqlite = self._on_sqlite(size)
        with ExitStack() as stack:
            for contestant in (sqlite, postgresql, in_turn):
                self.benchmark.start(contestant, stack, (self.benchmark.cores.server,))
            names = [sqlite.name, postgresql.name, in_turn.name]
            self._take_turns(names)
            for contestant in (postgresql, in_turn):
                self._measure_load(contestant, [name for name in names if name != contestant.name])
        rounds = self.benchmark.rounds
        for name, what in ((postgresql.name, "at random"), (in_turn.name, "none held")):
            found.append(_per_cpu_second(f"{size:,} {what}", rounds[name], rounds[sqlite.name], None))
        return found

    def nodes(self, size: int) -> list[Ratio]:
        """Compare two nodes with one."""
        benchmark = self.benchmark
        cores = benchmark.cores
        both = (cores.server, cores.load)
        spare = tuple(core for core in cores.all if core not in both)
        one = self._held_on_postgresql(size)
        one = replace(one, name="one_node", title=f"{one.title}, one node")
        two = replace(one, name="two_nodes", title=one.title.replace("one node", "two nodes"))
        threads = 2
        with ExitStack() as stack:
            benchmark.start(one, stack, (cores.server,))
            benchmark.start(two, stack, (cores.server,))
            benchmark.start_another_node(two, stack, (cores.load,))
            order = [("one_node", spare or (cores.load,)), ("two_nodes", spare or both)]
            for name, load_cores in order:
                benchmark.warm_up(name, _WARM_UP, load_cores, threads)
            for number in range(self._rounds):
                say(f"one node and two, round {number + 1} of {self._rounds}")
                for name, load_cores in order[:: -1 if number % 2 else 1]:
                    with standing_still(benchmark.processes(*(other for other, _ in order if other != name))):
                        benchmark.rounds.setdefault(name, []).append(benchmark.measure(name, load_cores, threads))
        rounds = benchmark.rounds
        return scaling(rounds["one_node"], rounds["two_nodes"], has_spare_cores=bool(spare), what="node")

    def usage(self, size: int, seconds: int = MINUTE) -> list[Ratio]:
        """Compare the stores over whole minutes, with usage written down."""
        benchmark = self.benchmark
        benchmark.seconds, before = seconds, benchmark.seconds
        pair = [
            replace(self._on_sqlite(size, _ISSUER), name="sqlite_usage"),
            replace(self._held_on_postgresql(size, _ISSUER), name="postgresql_usage"),
        ]
        pair = [replace(each, title=f"{each.title}, usage counted") for each in pair]
        with ExitStack() as stack:
            for contestant in pair:
                benchmark.start(contestant, stack, (benchmark.cores.server,))
            benchmark.rounds |= take_turns(
                benchmark.servers,
                ("postgresql_usage", "sqlite_usage"),
                self._rounds,
                lambda name: benchmark.warm_up(name, seconds, self._load),
                lambda name: benchmark.measure(name, self._load),
            )
        benchmark.seconds = before
        return self._ratios("postgresql_usage", "sqlite_usage", f"{size:,} held, usage counted")

    def _compare(self, pair: list[Contestant], what: str) -> list[Ratio]:
        with ExitStack() as stack:
            for contestant in pair:
                self.benchmark.start(contestant, stack, (self.benchmark.cores.server,))
            self._take_turns([contestant.name for contestant in pair])
        sqlite, postgresql = pair
        return self._ratios(postgresql.name, sqlite.name, what)

    def _take_turns(self, names: list[str]) -> None:
        benchmark = self.benchmark
        for number in range(self._rounds + 1):
            say(f"round {number} of {self._rounds}" if number else "warming up")
            for name in names[:: -1 if number % 2 else 1]:
                with standing_still(benchmark.processes(*(other for other in names if other != name))):
                    benchmark.warm_up(name, 1 if number else _WARM_UP, self._load)
                    if number:
                        benchmark.rounds.setdefault(name, []).append(benchmark.measure(name, self._load))

    def _measure_load(self, contestant: Contestant, others: list[str]) -> None:
        url = contestant.environment["SENSOS_AUTH_DATABASE_URL"]
        say(f"what {contestant.name} has the database do")
        with standing_still(self.benchmark.processes(*others)):
            self.benchmark.warm_up(contestant.name, 1, self._load)
            idle, before = counted(url), counted(url)
            measured = self.benchmark.measure(contestant.name, self._load)
            self.loads[contestant.name] = load_between(idle, before, counted(url), measured)

    def _ratios(self, postgresql: str, sqlite: str, what: str) -> list[Ratio]:
        one, other = self.benchmark.rounds[postgresql], self.benchmark.rounds[sqlite]
        rates = [a.rate / b.rate for a, b in zip(one, other, strict=True)]
        return [
            _per_cpu_second(what, one, other, _LEAST),
            Ratio(f"PostgreSQL / SQLite, {what}: tokens per second", rates, _LEAST),
        ]

    def _on_sqlite(self, size: int, settings: dict[str, str] = _UNCOUNTED) -> Contestant:
        contestant = product(f"sqlite_{size}", size, settings=settings)
        return replace(contestant, title=f"Sensos Auth on SQLite, {size:,} applications")

    def _held_on_postgresql(self, size: int, settings: dict[str, str] = _UNCOUNTED) -> Contestant:
        return replace(self._on_postgresql(size, settings), held_first=True)

    def _on_postgresql(self, size: int, settings: dict[str, str] = _UNCOUNTED) -> Contestant:
        name = f"postgresql_{size}"
        folder = self._folder / name
        url = self._server.url(name) if folder.exists() else self._server.new_database(name)
        population = populate_postgresql(size, url, folder)
        return product_on_postgresql(name, population, url, self._server.process, settings)


def compare_stores(
    benchmark: Benchmark, groups: list[str], rounds: int, folder: Path, *, quick: bool
) -> tuple[list[Ratio], dict[str, DatabaseLoad]]:
    """Measure what the groups ask for; return the ratios, and what the database had to do."""
    warm, cold = (_QUICK_WARM, _QUICK_COLD) if quick else (_WARM, _COLD)
    found = []
    with postgresql_server() as server:
        stores = Stores(benchmark, server, folder, rounds)
        if "postgresql" in groups:
            found += stores.warm(warm)
        if "postgresql-cold" in groups:
            found += stores.cold(cold)
        if "nodes" in groups:
            found += stores.nodes(warm[1])
        if "postgresql-usage" in groups:
            found += stores.usage(warm[1], benchmark.seconds if quick else MINUTE)
    return found, stores.loads


def _per_cpu_second(what: str, one: list[Round], other: list[Round], floor: float | None) -> Ratio:
    values = [b.cpu_each / a.cpu_each for a, b in zip(one, other, strict=True)]
    return Ratio(f"PostgreSQL / SQLite, {what}: tokens per CPU second of the server", values, floor)
