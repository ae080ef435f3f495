"""Kill -9 at random moments of management: what was acknowledged is there, and nothing is half made.

``SENSOS_AUTH_KILL_ROUNDS`` sets the number of rounds, on one registry, one after the other.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.model.revocation import RevocationKind, subject_digest
from sensos_auth.model.signing_key import KeyState
from sensos_auth.registry import Registry, View, open_registry
from sensos_auth.registry.audit import AuditEvent, list_events
from sensos_auth.registry.revocations import revocations_version
from sensos_auth.registry.signing_keys import list_signing_keys
from tests.faults.managing import MASTER_KEY

_REPOSITORY = Path(__file__).parents[2]
_ROUNDS = int(os.environ.get("SENSOS_AUTH_KILL_ROUNDS", "25"))
_LONGEST_LIFE = 0.4  # seconds after the first acknowledgement


Event = tuple[int, str, str]  # registry version, action, subject


def _manage_and_kill(file: Path, seed: int, life: float) -> list[Event]:
    command = [sys.executable, "-m", "tests.faults.managing", str(file), str(seed)]
    with subprocess.Popen(
        command, cwd=_REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline()]
        time.sleep(life)
        process.kill()
        lines += process.stdout.readlines()
        errors = process.stderr.read()
    assert process.returncode == -signal.SIGKILL, errors
    return [(version, action, subject) for version, action, subject in map(json.loads, lines)]


def _assert_tables_are_what_the_audit_trail_tells(view: View, events: list[AuditEvent]) -> None:
    # Whatever was switched several times is in the state of its last event; what was revoked stays revoked.
    last = {event.subject: event.action for event in events if event.action != "signing_key.scheduled"}
    for table, column, since, action in (
        ("tenants", "tenant_id", "disabled_at", "tenant.disabled"),
        ("applications", "application_id", "disabled_at", "application.disabled"),
        ("secrets", "secret_id", "revoked_at", "secret.revoked"),
        ("signing_keys", "kid", "revoked_at", "signing_key.revoked"),
    ):
        rows = view.connection.execute(f"SELECT {column} FROM {table} WHERE {since} IS NOT NULL")  # noqa: S608 - ours
        assert {subject for (subject,) in rows} == {subject for subject, told in last.items() if told == action}
    # Z04: whatever voids tokens is in the feed, with the version of the last change that did so.
    for action, kind in (
        ("tenant.disabled", RevocationKind.TENANT),
        ("application.disabled", RevocationKind.APPLICATION),
        ("signing_key.revoked", RevocationKind.SIGNING_KEY),
    ):
        versions = {event.subject: event.version for event in events if event.action == action}
        expected = {(subject_digest(kind, subject), version) for subject, version in versions.items()}
        query = "SELECT digest, version FROM revocations WHERE kind = ?"
        assert set(view.connection.execute(query, (str(kind),))) == expected
    newest = max((event.version for event in events if event.details.get("tokens") == "void"), default=0)
    assert revocations_version(view) == newest


def _assert_nothing_is_half_made(registry: Registry) -> None:
    with registry.view() as view:
        assert view.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert view.connection.execute("PRAGMA foreign_key_check").fetchall() == []
        for table, column, action in (
            ("tenants", "tenant_id", "tenant.created"),
            ("applications", "application_id", "application.created"),
            ("secrets", "secret_id", "secret.created"),
            ("signing_keys", "kid", "signing_key.published"),
        ):
            made = set(view.connection.execute(f"SELECT {column}, created_version FROM {table}"))  # noqa: S608 - ours
            told = set(view.connection.execute("SELECT subject, version FROM audit_events WHERE action = ?", (action,)))
            assert made == told
        # An application and its first secret are made in one change: neither is there alone.
        alone = """SELECT count(*) FROM applications a WHERE NOT EXISTS (SELECT 1 FROM secrets s
                   WHERE s.application_id = a.application_id AND s.created_version = a.created_version)"""
        assert view.connection.execute(alone).fetchall() == [(0,)]
        keys, now = list_signing_keys(view), view.now
    assert [key.state(now) for key in keys].count(KeyState.ACTIVE) == 1
    Keyring(KeysInRegistry(registry), MASTER_KEY).current_signer(now)  # raises where there is none, or it does not open


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(60 + 5 * _ROUNDS)
def test_z01_z02_z03_killed_manager_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After each kill: every acknowledged write is there, at most one more is, and nothing is half made."""
    file = tmp_path / "registry.sqlite3"
    chance = random.Random(_ROUNDS)  # noqa: S311 - repeatable
    acknowledged: set[Event] = set()
    beyond = 0
    for number in range(_ROUNDS):
        told = _manage_and_kill(file, number, chance.uniform(0, _LONGEST_LIFE))
        acknowledged |= set(told)
        registry = open_registry(f"sqlite:///{file}")
        _assert_nothing_is_half_made(registry)
        with registry.view() as view:
            events = list_events(view)
            _assert_tables_are_what_the_audit_trail_tells(view, events)
        registry.close()
        assert acknowledged <= {(event.version, event.action, event.subject) for event in events}
        # Of the change that was under way, it may be there or not.
        later = {event.version for event in events if event.version > told[-1][0]}
        assert len(later) <= 1
        beyond += len(later)
    sys.stdout.write(f"{_ROUNDS} kills, {len(acknowledged)} acknowledged, {beyond} committed without acknowledgement\n")
    assert len(acknowledged) > 10 * _ROUNDS
