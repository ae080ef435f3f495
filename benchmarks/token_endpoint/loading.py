"""One round of load on one server with wrk, and what the server, wrk and the rest of the machine used meanwhile."""

import json
import os
import re
import resource
import subprocess
import time
from dataclasses import dataclass

from benchmarks.token_endpoint.contestants import Server
from benchmarks.token_endpoint.machine import busy_seconds, cpu_seconds, process_tree, resident_mib, tree_cpu_seconds
from benchmarks.token_endpoint.places import HERE
from benchmarks.token_endpoint.serving import Running

CONNECTIONS = 64
_SAMPLE_SECONDS = 0.5
_SIZE_TOLERANCE = 0.05


@dataclass(frozen=True)
class Round:
    """What one round measured. CPU is in cores: 1.0 is one core, busy all the time."""

    rate: float
    p50_ms: float
    p99_ms: float
    answers: int
    worker_rss_mib: float
    server_cpu: float
    load_cpu: float
    others_cpu: float
    log_lines: int
    database_cpu: float = 0.0
    refused: int = 0

    @property
    def cpu_each(self) -> float:
        """Return the server's CPU time for one answer in microseconds: what other processes disturb least."""
        return self.server_cpu / self.rate * 1e6


def run_round(
    server: Server, seconds: int, pinned: list[str], answer_size: int, threads: int = 1, *, in_turn: bool = False
) -> Round:
    """Load the server for so many seconds; raises SystemExit when an answer was not a 200 like the proven one.

    A few may be refusals, if the contestant says so. Credentials are sent in their order ``in_turn``, or if it says so.
    """
    contestant = server.contestant
    for node in server.nodes:
        os.truncate(node.log, 0)
    command = [*pinned, "wrk", f"--threads={threads}", f"--connections={CONNECTIONS}", f"--duration={seconds}s"]
    command += ["--timeout=10s", "--header=Host: 127.0.0.1", f"--script={HERE / 'draw.lua'}", server.url, "--"]
    command += [str(contestant.requests), str(contestant.request_length), contestant.content_type]
    environment = os.environ | {
        "NODES": " ".join(str(node.port) for node in server.nodes),
        "IN_TURN": str(server.next_record) if in_turn or contestant.in_turn else "",
    }
    trees = [process_tree(node.process) for node in server.nodes]
    tree = [process for each in trees for process in each]
    used = {process: cpu_seconds(process) for process in tree}
    load_before, busy_before, database_before = _load_seconds(), busy_seconds(), _database_seconds(server)
    started = time.monotonic()
    wrk = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    rss = 0.0
    said = None
    while said is None:
        try:
            said = wrk.communicate(timeout=_SAMPLE_SECONDS)[0]
        except subprocess.TimeoutExpired:
            rss = max(rss, *(resident_mib(process) for each in trees for process in each[1:] or each))
    elapsed = time.monotonic() - started
    server_cpu = sum(cpu_seconds(process) - used[process] for process in tree) / elapsed
    load_cpu = (_load_seconds() - load_before) / elapsed
    database_cpu = (_database_seconds(server) - database_before) / elapsed
    others_cpu = max(0.0, (busy_seconds() - busy_before) / elapsed - server_cpu - load_cpu - database_cpu)
    match = re.search(r"^RESULT (.*)$", said, re.MULTILINE)
    if match is None:
        raise SystemExit(f"wrk did not finish:\n{said}")
    result = json.loads(match[1])
    server.next_record += (result["answers"] + CONNECTIONS) // threads  # each of them sends all
    if result["refused"] > contestant.most_refused * result["answers"] or result["broken"]:
        raise SystemExit(f"{contestant.title}: {result['refused']} refusals, {result['broken']} broken connections")
    if abs(result["bytes"] / result["answers"] / answer_size - 1) > _SIZE_TOLERANCE:
        raise SystemExit(f"{contestant.title}: the answers are not the size of a proper one ({answer_size} bytes)")
    return Round(
        rate=result["answers"] / result["microseconds"] * 1e6,
        p50_ms=result["p50"] / 1e3,
        p99_ms=result["p99"] / 1e3,
        answers=result["answers"],
        worker_rss_mib=rss,
        server_cpu=server_cpu,
        load_cpu=load_cpu,
        others_cpu=others_cpu,
        log_lines=sum(map(_count_lines, server.nodes)),
        database_cpu=database_cpu,
        refused=result["refused"],
    )


def _load_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def _database_seconds(server: Server) -> float:
    postmaster = server.contestant.postmaster
    return 0.0 if postmaster is None else tree_cpu_seconds(postmaster)


def _count_lines(node: Running) -> int:
    with node.log.open("rb") as log:
        return sum(block.count(b"\n") for block in iter(lambda: log.read(1 << 20), b""))
