"""Each use case that writes, killed at random moments: it has happened whole or not at all, and the trail agrees.

``SENSOS_AUTH_KILL_ROUNDS`` sets how often each of them is killed.
"""

import os
import re
from collections import Counter
from pathlib import Path

import apsw
import pytest

from sensos_auth.registry.audit_chain import StoredEvent, chained_hash
from tests.faults.killed_use_case import FILE, USE_CASES, kill, make_registry

_ROUNDS = int(os.environ.get("SENSOS_AUTH_KILL_ROUNDS", "8"))
# What each run makes at random; all else is the same in each of them.
_RANDOM = re.compile(r"(?<=ten_|app_|sec_)[a-z2-7]{26}|[\w-]{43}")
_TABLES = ("clock", "tenants", "applications", "secrets", "signing_keys", "audit_events", "revocations")

State = dict[str, list[str]]


def _state(file: Path) -> State:
    connection = apsw.Connection(str(file))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    _assert_trail_is_whole(connection)
    state = {}
    for table in _TABLES:
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - ours
        state[table] = sorted(_without_randomness(row) for row in rows)
    connection.close()
    return state


def _assert_trail_is_whole(connection: apsw.Connection) -> None:
    before = None
    query = "SELECT version, position, at, actor, action, tenant_id, subject, details, hash FROM audit_events"
    for *event, stored in connection.execute(query + " ORDER BY version, position"):
        before = chained_hash(before, StoredEvent(*event))
        assert stored == before
    assert connection.execute("SELECT audit_hash FROM clock").fetchall() == [(before,)]


def _without_randomness(row: tuple[object, ...]) -> str:
    return repr([len(cell) if isinstance(cell, bytes) else _RANDOM.sub("…", str(cell)) for cell in row])


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(60 + _ROUNDS)
@pytest.mark.parametrize("use_case", USE_CASES)
def test_z01_z02_z03_z05_killed_use_case_has_happened_whole_or_not_at_all(use_case: str, tmp_path: Path) -> None:
    """State and trail are those from before, or those of a run that was left alone; the latter once it has told so."""
    make_registry(tmp_path / FILE)
    before = _state(tmp_path / FILE)
    told = kill(tmp_path, use_case, _ROUNDS)
    after = _state(tmp_path / "0" / FILE)
    assert after != before
    found: Counter[str] = Counter()
    for number in range(1, _ROUNDS + 1):
        state = _state(tmp_path / str(number) / FILE)
        assert state in (before, after)
        assert state == after or number not in told
        found["after" if state == after else "before"] += 1
    print(f"{use_case}: {dict(found)}, {len(told)} told")  # noqa: T201 - with -s
