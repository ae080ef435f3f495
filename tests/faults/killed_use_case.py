"""Runs one use case of management on copies of a registry, each time killed (SIGKILL) at another random moment.

    python -m tests.faults.killed_use_case FOLDER USE_CASE ROUNDS

FOLDER holds a closed ``registry.sqlite3``, which :func:`make_registry` wrote. Of the copies, ``FOLDER/0`` is that of a
run which came to its end; the others are ``FOLDER/1``, ``FOLDER/2``, …. Prints the numbers of those whose run had told,
before the kill, that the change is made.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.registry import Change, Registry
from sensos_auth.registry.applications import (
    change_application,
    create_application,
    delete_application,
    disable_application,
    enable_application,
    void_tokens_of_application,
)
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.registry.secrets import change_secret, create_secret, revoke_secret, rotate_secret
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.tenant_deletion import delete_tenant
from sensos_auth.registry.tenants import change_tenant, create_tenant, disable_tenant, enable_tenant
from tests.registries import START

FILE = "registry.sqlite3"
_MASTER_KEY = MasterKey(bytes(range(32)))
_REPOSITORY = Path(__file__).parents[2]
_NOW_MS = (START + 60) * 1000


class Known(NamedTuple):
    """What the registry holds before."""

    tenant_id: str
    application_id: str
    secret_id: str
    kid: str


def make_registry(file: Path) -> None:
    """Write a registry with a tenant, two applications, four secrets and a signing key; its first tenant is known."""
    database = SqliteDatabase(file)
    migrate(database, START)
    registry = Registry(database, lambda: START * 1000)
    keep_keys_current(registry, _MASTER_KEY, "ES256")
    with registry.change("test") as change:
        tenant = create_tenant(change, name="Acme")
        for name in ("Pump", "Valve"):
            application = create_application(change, tenant_id=tenant.tenant_id, name=name)
            for _ in range(2):
                create_secret(change, application_id=application.application_id)
    registry.close()


def kill(folder: Path, use_case: str, rounds: int) -> set[int]:
    """Run it as this module says, and return the numbers of the rounds that told of their change."""
    command = [sys.executable, "-m", __spec__.name, str(folder), use_case, str(rounds)]
    ended = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout))


def _known(registry: Registry) -> Known:
    with registry.view() as view:
        query = "SELECT tenant_id, application_id, secret_id FROM secrets ORDER BY created_version, secret_id LIMIT 1"
        ((tenant_id, application_id, secret_id),) = view.connection.execute(query).fetchall()
        return Known(tenant_id, application_id, secret_id, list_signing_keys(view)[0].kid)


def _one_change(make: Callable[[Change, Known], Any]) -> Callable[[Registry, Known], None]:
    def use_case(registry: Registry, known: Known) -> None:
        with registry.change("test") as change:
            make(change, known)

    return use_case


def _create_application(change: Change, known: Known) -> None:
    application = create_application(change, tenant_id=known.tenant_id, name="New", scope="a b")
    create_secret(change, application_id=application.application_id)


def _rotate_secret(change: Change, known: Known) -> None:
    rotate_secret(change, application_id=known.application_id, old_end_in=60)


USE_CASES: dict[str, Callable[[Registry, Known], object]] = {
    "tenants-create": _one_change(lambda change, _: create_tenant(change, name="New")),
    "tenants-change": _one_change(lambda change, known: change_tenant(change, known.tenant_id, lifetime=60)),
    "tenants-disable": _one_change(lambda change, known: disable_tenant(change, known.tenant_id)),
    "tenants-enable": _one_change(lambda change, known: enable_tenant(change, known.tenant_id)),
    "tenants-delete": _one_change(lambda change, known: delete_tenant(change, known.tenant_id)),
    "applications-create": _one_change(_create_application),
    "applications-change": _one_change(
        lambda change, known: change_application(change, known.application_id, scope="a", lifetime=60)
    ),
    "applications-disable": _one_change(lambda change, known: disable_application(change, known.application_id)),
    "applications-enable": _one_change(lambda change, known: enable_application(change, known.application_id)),
    "applications-void-tokens": _one_change(
        lambda change, known: void_tokens_of_application(change, known.application_id)
    ),
    "applications-delete": _one_change(lambda change, known: delete_application(change, known.application_id)),
    "secrets-create": _one_change(lambda change, known: create_secret(change, application_id=known.application_id)),
    "secrets-change": _one_change(lambda change, known: change_secret(change, known.secret_id, label="old")),
    "secrets-rotate": _one_change(_rotate_secret),
    "secrets-revoke": _one_change(lambda change, known: revoke_secret(change, known.secret_id, with_tokens=True)),
    "tokens-revoke": _one_change(lambda change, _: revoke_token(change, "a-token")),
    "keys-rotate": lambda registry, _: rotate(registry, _MASTER_KEY, "ES256", actor="test", immediately=False),
    "keys-rotate-immediately": lambda registry, _: rotate(
        registry, _MASTER_KEY, "ES256", actor="test", immediately=True
    ),
    "keys-revoke": lambda registry, known: revoke(registry, _MASTER_KEY, "ES256", known.kid, actor="test"),
}


def _main(folder: Path, use_case: str, rounds: int) -> None:
    duration, _ = _run(folder, 0, use_case, None)
    chance = random.Random(use_case)  # noqa: S311 - repeatable
    moments = {number: chance.uniform(0, 1.3) * duration for number in range(1, rounds + 1)}
    told = [number for number, moment in moments.items() if _run(folder, number, use_case, moment)[1]]
    sys.stdout.write(json.dumps(told))


def _run(folder: Path, number: int, use_case: str, killed_after: float | None) -> tuple[float, bool]:
    """Return how many seconds the use case took, and whether it told that the change is made."""
    (folder / str(number)).mkdir()
    file = shutil.copy(folder / FILE, folder / str(number))
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _work(Path(file), use_case, theirs)
    os.close(theirs)
    assert os.read(ours, 1) == b"r"  # ready
    started = time.perf_counter()
    if killed_after is not None:
        time.sleep(killed_after)
        os.kill(child, signal.SIGKILL)
    told = os.read(ours, 1) == b"d"  # done
    duration = time.perf_counter() - started
    os.waitpid(child, 0)
    os.close(ours)
    return duration, told


def _work(file: Path, use_case: str, to_parent: int) -> None:
    try:
        registry = Registry(SqliteDatabase(file), lambda: _NOW_MS)
        known = _known(registry)
        os.write(to_parent, b"r")
        USE_CASES[use_case](registry, known)
        os.write(to_parent, b"d")
    finally:
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
