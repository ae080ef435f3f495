"""What a round of load had the PostgreSQL server do."""

import time
from dataclasses import dataclass

import psycopg
from tabulate import tabulate

from benchmarks.token_endpoint.loading import Round

# Seconds after which the statistics of a session that has become idle are there at the latest.
_LAG = 10.5


@dataclass(frozen=True)
class Counted:
    """The server's own counts for one database since it was made, and when they were read."""

    at: float
    transactions: int
    rows: int
    looked_up: int


@dataclass(frozen=True)
class DatabaseLoad:
    """What the database did while so many tokens were made. ``looked_up`` counts secrets, one for each digest asked."""

    tokens: int
    seconds: float
    transactions: float
    rows: int
    looked_up: int
    cpu: float

    @property
    def at_once(self) -> float:
        """Return how many digests were asked for in one question."""
        return self.looked_up / self.transactions if self.transactions > 0 else 0.0

    @property
    def held(self) -> float:
        """Return the share of the tokens for which nothing was asked."""
        return 1 - min(1.0, self.looked_up / self.tokens)


def counted(url: str) -> Counted:
    """Return the counts, once they include all that has been done by now. Takes ten seconds."""
    time.sleep(_LAG)
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT d.xact_commit + d.xact_rollback, d.tup_fetched, t.idx_scan + t.seq_scan"
            " FROM pg_stat_database d, pg_stat_user_tables t"
            " WHERE d.datname = current_database() AND t.relname = 'secrets'"
        ).fetchall()
    transactions, fetched, looked_up = rows[0]
    return Counted(time.monotonic(), transactions, fetched, looked_up)


def load_between(idle: Counted, before: Counted, after: Counted, measured: Round) -> DatabaseLoad:
    """Return what the round had it do. Between ``idle`` and ``before`` there was none: so much is taken off."""
    idle_rate = (before.transactions - idle.transactions) / (before.at - idle.at)
    return DatabaseLoad(
        tokens=measured.answers,
        seconds=measured.answers / measured.rate,
        transactions=after.transactions - before.transactions - idle_rate * (after.at - before.at),
        rows=after.rows - before.rows,
        looked_up=after.looked_up - before.looked_up,
        cpu=measured.database_cpu,
    )


def loads_table(titles: dict[str, str], loads: dict[str, DatabaseLoad]) -> str:
    """Return the table of what the rounds had the database do."""
    rows = [
        [
            titles[name],
            f"{load.held:.2f}",
            f"{load.transactions / load.seconds:,.0f}",
            f"{load.at_once:.1f}",
            f"{load.rows / load.seconds:,.0f}",
            f"{load.cpu:.2f}",
            f"{load.cpu * load.seconds / load.tokens * 1e6:.1f}",
        ]
        for name, load in loads.items()
    ]
    head = ["", "held", "questions/s", "digests in one", "rows read/s", "PostgreSQL's CPU", "µs of it for a token"]
    return tabulate(rows, head, disable_numparse=True, colalign=["left"] + ["right"] * 6)
