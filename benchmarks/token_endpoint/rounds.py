"""One run: servers that are up, what they answered, and the rounds so far."""

from contextlib import ExitStack

from benchmarks.token_endpoint import contestants
from benchmarks.token_endpoint.contestants import Contestant, Server
from benchmarks.token_endpoint.loading import Round, run_round
from benchmarks.token_endpoint.machine import Cores, signing_rate
from benchmarks.token_endpoint.proving import prove
from benchmarks.token_endpoint.serving import running, wait_until_ready


class Benchmark:
    """One run."""

    def __init__(self, cores: Cores, seconds: int) -> None:
        self.cores = cores
        self.seconds = seconds
        self.servers: dict[str, Server] = {}
        self.proofs: dict[str, str] = {}
        self.rounds: dict[str, list[Round]] = {}
        self.signing: list[float] = []
        self._answer_sizes: dict[str, int] = {}

    def start(self, contestant: Contestant, stack: ExitStack, cores: tuple[int, ...]) -> None:
        """Start a server on these cores until the stack ends, and prove that it does what it should."""
        command = [*self.cores.pinned(*cores), *contestant.command]
        process = stack.enter_context(running(contestant.name, command, contestant.environment, contestant.folder))
        if contestant.ready_path:
            wait_until_ready(process.port, contestant.ready_path)
        server = Server(contestant, process)
        answer, proof = prove(server)
        if contestant.name.startswith("product"):
            contestants.keep_for_bare(answer.headers, answer.body)
        self.servers[contestant.name] = server
        self.proofs[contestant.name] = proof
        self._answer_sizes[contestant.name] = answer.size
        say(f"started {contestant.title}: {proof}")

    def start_another_node(self, contestant: Contestant, stack: ExitStack, cores: tuple[int, ...]) -> None:
        """Start another node of a server that runs, on these cores, until the stack ends."""
        server = self.servers[contestant.name]
        name = f"{contestant.name}_{len(server.nodes) + 1}"
        command = [*self.cores.pinned(*cores), *contestant.command]
        another = stack.enter_context(running(name, command, contestant.environment, contestant.folder))
        wait_until_ready(another.port, contestant.ready_path)
        server.others = (*server.others, another)

    def processes(self, *names: str) -> list[int]:
        """Return the processes of these servers that started all their others."""
        return [node.process for name in names for node in self.servers[name].nodes]

    def warm_up(self, name: str, seconds: int, load_cores: tuple[int, ...], threads: int = 1) -> None:
        """Load a server without keeping the figures; where all has to be held first, until it is."""
        server, pinned = self.servers[name], self.cores.pinned(*load_cores)
        server.contestant.bring_database_near()
        is_all_held = False
        while not is_all_held:
            # Of two nodes each is sent all by a thread of its own: twice, because one may be slower.
            holds_first = server.contestant.held_first and server.next_record < len(server.nodes) * server.applications
            run_round(server, seconds, pinned, self._answer_sizes[name], threads, in_turn=holds_first)
            is_all_held = not holds_first

    def measure(self, name: str, load_cores: tuple[int, ...], threads: int = 1) -> Round:
        """Load a server for one round."""
        self.servers[name].contestant.bring_database_near()
        pinned = self.cores.pinned(*load_cores)
        measured = run_round(self.servers[name], self.seconds, pinned, self._answer_sizes[name], threads)
        said = f"  {name}: {measured.rate:,.0f}/s, p99 {measured.p99_ms:.1f} ms, others {measured.others_cpu:.2f} CPU"
        say(said + (f", {measured.refused} REFUSED" if measured.refused else ""))
        return measured

    def interleave(self, rounds: int, *, sign: bool) -> None:
        """Load all servers one after the other, each time in another order."""
        load = (self.cores.load,)
        names = list(self.servers)
        for name in names:
            say(f"warming up {name}")
            self.warm_up(name, min(4, self.seconds), load)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            shift = number * len(names) // rounds
            if sign:
                self.signing.append(signing_rate(self.cores, min(3, self.seconds)))
                say(f"  signing: {self.signing[-1]:,.0f}/s")
            for name in names[shift:] + names[:shift]:
                self.rounds.setdefault(name, []).append(self.measure(name, load))


def say(line: str) -> None:
    """Print a line of progress at once."""
    print(line, flush=True)
