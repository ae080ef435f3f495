"""Whatever happened before and after a backup: with the journal, nothing that was taken away comes back.

``SENSOS_AUTH_RESTORE_HISTORIES`` sets the number of histories.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.model.errors import Conflict, NotFound
from sensos_auth.model.revocation import Provenance
from sensos_auth.model.signing_key import KeyState, active_key
from sensos_auth.registry import Registry, View
from sensos_auth.registry.applications import (
    change_application,
    create_application,
    delete_application,
    disable_application,
    enable_application,
    get_application,
    list_applications,
    void_tokens_of_application,
)
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.audit_export import export_line, parse_line
from sensos_auth.registry.audit_verification import verify_trail
from sensos_auth.registry.backup import back_up
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.restoring import Evidence, restore
from sensos_auth.registry.revocations import is_void, registry_version, revoke_token
from sensos_auth.registry.secrets import (
    change_secret,
    create_secret,
    get_secret,
    list_secrets,
    revoke_secret,
    rotate_secret,
)
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.tenant_deletion import delete_tenant
from sensos_auth.registry.tenants import create_tenant, disable_tenant, enable_tenant, get_tenant
from tests.registries import Clock

_HISTORIES = int(os.environ.get("SENSOS_AUTH_RESTORE_HISTORIES", "15"))
_MASTER_KEY = MasterKey(bytes(range(32)))
_SCOPES = ["", "a", "a b", "b c", "a b c"]


@dataclass
class History:
    """A registry, what it holds, and the tokens that were issued from it."""

    registry: Registry
    clock: Clock
    tenants: list[str] = field(default_factory=list)
    applications: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    tokens: list[Provenance] = field(default_factory=list)

    def step(self, number: int, choice: int) -> None:
        """Let one thing happen to one subject; what is not there any more stays as it is."""
        names = list(_STEPS)
        name = names[number % len(names)]
        self.clock.advance(1)
        try:
            _STEPS[name](self, choice)
        except (NotFound, Conflict):
            return
        note(name)

    def issue(self, _: int) -> None:
        """Issue a token with every secret that is good."""
        with self.registry.view() as view:
            key = active_key(list_signing_keys(view), view.now)
            assert key is not None
            for secret_id in self.secrets:
                if is_usable(view, secret_id):
                    secret = get_secret(view, secret_id)
                    number = f"token{len(self.tokens)}"
                    self.tokens.append(
                        Provenance(
                            key.kid, number, secret.tenant_id, secret.application_id, secret_id, registry_version(view)
                        )
                    )


def is_usable(view: View, secret_id: str) -> bool:
    """Tell whether a token would be issued for the secret."""
    try:
        secret = get_secret(view, secret_id)
        application = get_application(view, secret.application_id)
        tenant = get_tenant(view, secret.tenant_id)
    except NotFound:
        return False
    return secret.state(view.now) == "active" and application.disabled_at is None and tenant.disabled_at is None


def _change(act: Callable[..., object], subjects: str, **options: object) -> Callable[[History, int], None]:
    def step(history: History, choice: int) -> None:
        known: list[str] = getattr(history, subjects)
        with history.registry.change("test:me") as change:
            act(change, known[choice % len(known)], **options)

    return step


def _create(history: History, choice: int) -> None:
    with history.registry.change("test:me") as change:
        if choice % 3 == 0:
            history.tenants.append(create_tenant(change, name="x").tenant_id)
        elif choice % 3 == 1:
            tenant_id = history.tenants[choice % len(history.tenants)]
            made = create_application(change, tenant_id=tenant_id, name="x", scope="a b")
            history.applications.append(made.application_id)
            history.secrets.append(create_secret(change, application_id=made.application_id).kept.secret_id)
        else:
            application_id = history.applications[choice % len(history.applications)]
            history.secrets.append(create_secret(change, application_id=application_id).kept.secret_id)


def _rotate_secret(history: History, choice: int) -> None:
    with history.registry.change("test:me") as change:
        application_id = history.applications[choice % len(history.applications)]
        rotation = rotate_secret(change, application_id=application_id, old_end_in=1 + choice % 5)
        history.secrets.append(rotation.new.kept.secret_id)


def _end_secret(history: History, choice: int) -> None:
    with history.registry.change("test:me") as change:
        secret_id = history.secrets[choice % len(history.secrets)]
        change_secret(change, secret_id, expires_at=change.now + 1 + choice % 5)


def _scope(history: History, choice: int) -> None:
    with history.registry.change("test:me") as change:
        application_id = history.applications[choice % len(history.applications)]
        change_application(change, application_id, scope=_SCOPES[choice % len(_SCOPES)])


def _revoke_token(history: History, choice: int) -> None:
    if history.tokens:
        with history.registry.change("test:me") as change:
            token = history.tokens[choice % len(history.tokens)]
            revoke_token(change, token.token_id, expires_at=change.now + 3600)


def _rotate_key(history: History, choice: int) -> None:
    rotate(history.registry, _MASTER_KEY, "ES256", actor="test:me", immediately=bool(choice % 2))


def _revoke_key(history: History, choice: int) -> None:
    with history.registry.view() as view:
        keys = list_signing_keys(view)
    revoke(history.registry, _MASTER_KEY, "ES256", keys[choice % len(keys)].kid, actor="test:me")


_STEPS: dict[str, Callable[[History, int], None]] = {
    "create": _create,
    "issue": History.issue,
    "disable tenant": _change(disable_tenant, "tenants"),
    "enable tenant": _change(enable_tenant, "tenants"),
    "delete tenant": _change(delete_tenant, "tenants"),
    "disable application": _change(disable_application, "applications"),
    "enable application": _change(enable_application, "applications"),
    "void tokens": _change(void_tokens_of_application, "applications"),
    "delete application": _change(delete_application, "applications"),
    "scope": _scope,
    "revoke secret": _change(revoke_secret, "secrets"),
    "revoke secret with tokens": _change(revoke_secret, "secrets", with_tokens=True),
    "rotate secret": _rotate_secret,
    "end secret": _end_secret,
    "revoke token": _revoke_token,
    "rotate key": _rotate_key,
    "revoke key": _revoke_key,
}
_steps = st.lists(st.tuples(st.integers(0, len(_STEPS) - 1), st.integers(0, 30)), max_size=12)


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(60 + 2 * _HISTORIES)
@settings(max_examples=_HISTORIES, deadline=None)
@given(before=_steps, after=_steps, later=st.integers(0, 10))
def test_z27_nothing_that_was_taken_away_comes_back(
    before: list[tuple[int, int]], after: list[tuple[int, int]], later: int
) -> None:
    """No secret is good again, no scope, no token and no key; and what nobody touched since the backup still works."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = SqliteDatabase(folder / "old.sqlite3")
        database.connection.execute("PRAGMA synchronous=OFF")  # what is tested is not the disk
        migrate(database, clock.seconds())
        with closing(Registry(database, clock)) as registry:
            history = History(registry, clock)
            keep_keys_current(registry, _MASTER_KEY, "ES256")
            for choice in (0, 1, 2, 0, 1):
                _create(history, choice)
            for step in before:
                history.step(*step)
            history.issue(0)
            back_up(folder / "old.sqlite3", folder / "backup.sqlite3")
            known = set(history.applications)
            for step in after:
                history.step(*step)
            history.issue(0)
            clock.advance(later)
            with registry.view() as live:
                journal = [parse_line(export_line(event), "here") for event in list_events(live)]
                target = folder / "new.sqlite3"
                restore(
                    folder / "backup.sqlite3", target, Evidence([journal]), replace=False, check=lambda _: None,
                    clock=clock,
                )  # fmt: skip
                with closing(Registry(SqliteDatabase(target), clock)) as restored:
                    keep_keys_current(restored, _MASTER_KEY, "ES256")
                    with restored.view() as view:
                        _assert_nothing_came_back(history, known, live, view)
                        if not after:
                            good = [is_usable(live, each) for each in history.secrets]
                            assert [is_usable(view, each) for each in history.secrets] == good
                        assert verify_trail(view).findings == []
                        locked = list_events(view)[-1].details.get("issuing") or any(
                            event.details.get("issuing") for event in list_events(view)
                        )
                    if not locked:
                        Keyring(KeysInRegistry(restored), _MASTER_KEY).current_signer(clock.seconds())


def _assert_nothing_came_back(history: History, known: set[str], live: View, restored: View) -> None:
    for secret_id in history.secrets:
        assert is_usable(live, secret_id) or not is_usable(restored, secret_id)
    for application in list_applications(restored, limit=1000):
        scope = get_application(live, application.application_id).scope.split()
        assert set(application.scope.split()) <= set(scope)
        assert list_secrets(restored, application.application_id)
    for token in history.tokens:
        assert is_void(restored, token) or not is_void(live, token)
        assert is_void(restored, token) or token.application_id in known
    live_keys = {key.kid: key.state(live.now) for key in list_signing_keys(live)}
    states = {key.kid: key.state(restored.now) for key in list_signing_keys(restored)}
    assert list(states.values()).count(KeyState.ACTIVE) == 1
    for kid, state in live_keys.items():
        if state in {KeyState.REVOKED, KeyState.RETIRING, KeyState.RETIRED} and kid in states:
            assert states[kid] in {KeyState.REVOKED, KeyState.RETIRING, KeyState.RETIRED}
