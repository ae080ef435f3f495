"""The cluster of the fault test does what it says: what was acknowledged outlives its primary."""

import time
from threading import Timer
from typing import LiteralString

import psycopg
import pytest

from tests.nodes.postgresql_cluster import PostgresqlCluster, postgresql_cluster

pytestmark = [pytest.mark.slow, pytest.mark.waits, pytest.mark.timeout(120)]


def test_restarts_pauses_and_fails_over_without_losing_what_was_acknowledged() -> None:
    """A crash, a pause and two failovers, there and back: each row is still there."""
    with postgresql_cluster() as cluster:
        _run(cluster, "CREATE TABLE kept (number integer)")
        _run(cluster, "INSERT INTO kept VALUES (1)")
        cluster.primary.stop("immediate")
        cluster.primary.start()
        _run(cluster, "INSERT INTO kept VALUES (2)")
        cluster.primary.pause()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(cluster.primary.url(), connect_timeout=2)
        cluster.primary.resume()
        for number in (3, 4):
            _run(cluster, "INSERT INTO kept VALUES (%s)", number)
            cluster.primary.stop("immediate")
            cluster.fail_over()
            cluster.make_standby()
        with cluster.primary.connection() as connection:
            assert connection.execute("SELECT number FROM kept ORDER BY number").fetchall() == [(1,), (2,), (3,), (4,)]


def test_commit_waits_while_the_standby_is_away() -> None:
    """Nothing is acknowledged that is on one disk only; who is told not to wait any longer is warned."""
    with postgresql_cluster() as cluster:
        _run(cluster, "CREATE TABLE kept (number integer)")
        cluster.standby.pause()
        with cluster.primary.connection() as connection, cluster.primary.connection() as other:
            warnings: list[str] = []
            connection.add_notice_handler(lambda notice: warnings.append(notice.severity_nonlocalized or ""))
            began = time.monotonic()
            Timer(0.5, other.execute, ("SELECT pg_cancel_backend(%s)", (connection.info.backend_pid,))).start()
            connection.execute("INSERT INTO kept VALUES (1)")
            assert time.monotonic() - began > 0.4
            assert warnings == ["WARNING"]
        cluster.standby.resume()


def _run(cluster: PostgresqlCluster, statement: LiteralString, *values: int) -> None:
    with cluster.primary.connection() as connection:
        connection.execute(statement, values)
