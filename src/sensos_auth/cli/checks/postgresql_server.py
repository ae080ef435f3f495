"""Checks of a PostgreSQL server: can it be reached, does it take changes, and does it keep them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import psycopg

from sensos_auth.cli.checks.finding import Finding, Status, ok, wrong
from sensos_auth.cli.checks.registry_content import check_content
from sensos_auth.model.errors import ConfigurationError, SensosAuthError
from sensos_auth.registry.opening import check_postgresql_url, open_database, shown_url
from sensos_auth.registry.postgresql_connection import OLDEST_SERVER, reason, settings
from sensos_auth.registry.server_clock import MOST_DIFFERENCE


def check_postgresql(url: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the server that the URL names, and into the registry on it. Nothing is changed."""
    try:
        check_postgresql_url(url)
        with closing(_connect(url)) as connection:
            findings = list(_server(url, connection))
    except ConfigurationError as error:
        yield wrong("database", error)
        return
    except psycopg.ProgrammingError:  # its text may repeat the password
        form = "postgresql://user@host:5432/database"
        yield wrong("database", f"SENSOS_AUTH_DATABASE_URL is no URL of a PostgreSQL database: {form}")
        return
    except psycopg.OperationalError as error:
        yield wrong("database", f"{shown_url(url)} cannot be reached: {reason(error)}")
        return
    yield from findings
    wrong_checks = {finding.check for finding in findings if finding.status is Status.WRONG}
    if wrong_checks & {"server", "standby"}:
        return
    try:
        with closing(open_database(url)) as database:
            yield from check_content(database, environment)
    except SensosAuthError as error:
        if not wrong_checks:  # else it says the same once more
            yield wrong("registry", error)


def _connect(url: str) -> psycopg.Connection[Any]:
    arguments = settings(url, "doctor")
    try:
        return psycopg.connect(url, **arguments)
    except psycopg.OperationalError:
        # Perhaps there is a standby, which is to be named as such.
        return psycopg.connect(url, **{**arguments, "target_session_attrs": "any"})


def _server(url: str, connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    yield ok("database", shown_url(url))
    yield _version(connection.info.server_version, connection.info.parameter_status("server_encoding") or "")
    began = time.time()
    is_standby, is_read_only, commit, fsync, server_time = _ask(
        connection,
        "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean, "
        "current_setting('synchronous_commit'), current_setting('fsync')::boolean, "
        "EXTRACT(EPOCH FROM clock_timestamp())::float8",
    )
    middle = (began + time.time()) / 2
    yield _standby(is_standby=is_standby, is_read_only=is_read_only)
    yield from _durability(commit, fsync=fsync)
    yield _clock(middle - server_time)


def _ask(connection: psycopg.Connection[Any], question: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = connection.execute(question.encode()).fetchall()[0]
    return row


def _version(number: int, encoding: str) -> Finding:
    version = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    if number < OLDEST_SERVER * 10_000:
        return wrong("server", f"{version} is too old: {OLDEST_SERVER} or newer is needed")
    if encoding != "UTF8":
        return wrong("server", f"the database stores text as {encoding}, which cannot hold every name: use UTF8")
    return ok("server", version)


def _standby(*, is_standby: bool, is_read_only: bool) -> Finding:
    if is_standby:
        return wrong(
            "standby",
            "this server is a standby, which takes no changes: name the primary, or all of them, of which the primary "
            "is chosen (postgresql://user@host1,host2/database)",
        )
    if is_read_only:
        return wrong("standby", "this server is read-only: set default_transaction_read_only = off")
    return ok("standby", "this server is the primary")


def _durability(commit: str, *, fsync: bool) -> Iterator[Finding]:
    if commit == "off":
        yield wrong(
            "durability",
            "synchronous_commit = off: what was acknowledged is lost with the power. Set it to on, or to what your "
            "standbys need",
        )
    if not fsync:
        yield wrong("durability", "fsync = off: after a loss of power the registry may be damaged. Set it to on")
    if fsync and commit != "off":
        yield ok("durability", f"synchronous_commit = {commit}, fsync = on")


def _clock(ahead: float) -> Finding:
    direction = "ahead of" if ahead > 0 else "behind"
    if abs(ahead) > MOST_DIFFERENCE:
        return wrong(
            "server clock",
            f"this machine's clock is {abs(ahead):.1f} s {direction} the server's: let both follow the same time (NTP)",
        )
    return ok("server clock", f"this machine's clock is within {MOST_DIFFERENCE:.0f} s of the server's")
