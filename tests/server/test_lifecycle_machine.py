"""Whatever is done to tenants, applications, secrets and keys: who gets a token, and whose is accepted.

That is what a plain model of the promises says, in whatever order things are done. Restarts in between change nothing.
"""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sensos_auth.issuing.issuer import ApplicationCredentials, Issuer
from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.model.errors import AuthenticationFailed, Conflict, NotFound
from sensos_auth.registry import Change
from sensos_auth.registry.applications import (
    change_application,
    create_application,
    delete_application,
    disable_application,
    enable_application,
    list_applications,
    void_tokens_of_application,
)
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.audit_chain import StoredEvent, chained_hash
from sensos_auth.registry.credentials import SqliteCredentialReader
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.registry.secrets import change_secret, create_secret, get_secret, revoke_secret, rotate_secret
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.tenant_deletion import delete_tenant
from sensos_auth.registry.tenants import change_tenant, create_tenant, disable_tenant, enable_tenant, list_tenants
from sensos_auth.server.registry_keys import RegistryKeys
from sensos_auth.server.registry_revocations import RegistryRevocations
from sensos_auth.verifying import InvalidToken, Verifier
from tests.issuing.deployment import MASTER_KEY, SETTINGS
from tests.registries import Clock, Place

_SCOPES = st.sampled_from(["", "devices:read", "devices:read devices:write"])
_LIFETIMES = st.sampled_from([None, 1, 60, 86_400])
_SPANS = st.sampled_from([1, 60, 3_600, 86_400])


@dataclass(eq=False)
class _Tenant:
    tenant_id: str
    lifetime: int | None
    is_disabled: bool = False
    is_deleted: bool = False


@dataclass(eq=False)
class _Application:
    application_id: str
    tenant: _Tenant
    scope: str
    lifetime: int | None
    audience: str | None = None
    is_disabled: bool = False
    is_deleted: bool = False


@dataclass(eq=False)
class _Secret:
    secret_id: str
    shown: str
    application: _Application
    ends_at: int | None
    is_revoked: bool = False

    def is_usable(self, now: int) -> bool:
        return not self.is_revoked and (self.ends_at is None or now < self.ends_at)


@dataclass(eq=False)
class _Token:
    token: str
    token_id: str
    secret: _Secret
    kid: str
    audience: str
    expires_at: int
    is_void: bool = False


@dataclass
class _Model:
    tenants: list[_Tenant] = field(default_factory=list)
    applications: list[_Application] = field(default_factory=list)
    secrets: list[_Secret] = field(default_factory=list)
    tokens: list[_Token] = field(default_factory=list)
    revoked_kids: set[str] = field(default_factory=set)

    def void(self, tokens: list[_Token]) -> None:
        for token in tokens:
            token.is_void = True


class Lifecycle(RuleBasedStateMachine):
    """Every use case of management, tokens got and shown, time and restarts, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.place = Place("sqlite", str(self.folder / "registry.sqlite3"), self.clock)
        self.model = _Model()
        self.names = itertools.count()
        self._open()

    def _open(self) -> None:
        self.registry = self.place.open()
        database = self.registry.database
        assert isinstance(database, SqliteDatabase)
        database.connection.pragma("synchronous", "off")  # power loss is not what is tested here
        keep_keys_current(self.registry, MASTER_KEY, "ES256")
        keyring = Keyring(KeysInRegistry(self.registry), MASTER_KEY)
        self.issuer = Issuer(SqliteCredentialReader(database), keyring, SETTINGS, self.clock.seconds)
        self.verifiers = {
            audience: Verifier(
                issuer=SETTINGS.issuer,
                audience=audience,
                keys=RegistryKeys(keyring, self.clock.seconds),
                revocations=RegistryRevocations(self.registry),
                clock=self.clock.seconds,
            )
            for audience in (SETTINGS.audience, "another")
        }

    @rule()
    def restart(self) -> None:
        """The process ends and begins again."""
        self.registry.close()
        self._open()

    @rule(seconds=st.sampled_from([0.001, 1, 59, 3_600, 86_400]))
    def wait(self, seconds: float) -> None:
        """Time passes; the service keeps its keys current."""
        self.clock.advance(seconds)
        keep_keys_current(self.registry, MASTER_KEY, "ES256")

    @rule(lifetime=_LIFETIMES)
    def create_tenant(self, lifetime: int | None) -> None:
        """``tenants create``."""
        with self.registry.change("me") as change:
            tenant = create_tenant(change, name=f"tenant {next(self.names)}", lifetime=lifetime)
        self.model.tenants.append(_Tenant(tenant.tenant_id, lifetime))

    @precondition(lambda self: self.model.tenants)
    @rule(data=st.data(), scope=_SCOPES, lifetime=_LIFETIMES)
    def create_application(self, data: st.DataObject, scope: str, lifetime: int | None) -> None:
        """``applications create``, with its first secret."""
        tenant = data.draw(st.sampled_from(self.model.tenants))
        with self._changing(fails=tenant.is_deleted) as change:
            made = create_application(change, tenant_id=tenant.tenant_id, name="a", scope=scope, lifetime=lifetime)
            new = create_secret(change, application_id=made.application_id)
            application = _Application(made.application_id, tenant, scope, lifetime)
            self.model.applications.append(application)
            self.model.secrets.append(_Secret(new.kept.secret_id, new.shown, application, None))

    @precondition(lambda self: self.model.tenants)
    @rule(data=st.data(), what=st.sampled_from(["change", "disable", "enable", "delete"]), lifetime=_LIFETIMES)
    def do_to_tenant(self, data: st.DataObject, what: str, lifetime: int | None) -> None:
        """``tenants change|disable|enable|delete``."""
        tenant = data.draw(st.sampled_from(self.model.tenants))
        with self._changing(fails=tenant.is_deleted) as change:
            if what == "change":
                assert change_tenant(change, tenant.tenant_id, lifetime=lifetime).lifetime == lifetime
                tenant.lifetime = lifetime
            elif what == "enable":
                enable_tenant(change, tenant.tenant_id)
                tenant.is_disabled = False
            else:
                (disable_tenant if what == "disable" else delete_tenant)(change, tenant.tenant_id)
                tenant.is_disabled = True
                self.model.void([token for token in self.model.tokens if token.secret.application.tenant is tenant])
                if what == "delete":
                    tenant.is_deleted = True
                    for application in self.model.applications:
                        application.is_deleted |= application.tenant is tenant

    @precondition(lambda self: self.model.applications)
    @rule(
        data=st.data(),
        what=st.sampled_from(["change", "disable", "enable", "void", "delete"]),
        scope=_SCOPES,
        lifetime=_LIFETIMES,
        audience=st.sampled_from([None, "another"]),
    )
    def do_to_application(
        self, data: st.DataObject, what: str, scope: str, lifetime: int | None, audience: str | None
    ) -> None:
        """``applications change|disable|enable|void-tokens|delete``."""
        application = data.draw(st.sampled_from(self.model.applications))
        name = application.application_id
        with self._changing(fails=application.is_deleted) as change:
            if what == "change":
                change_application(change, name, scope=scope, lifetime=lifetime, audience=audience)
                application.scope, application.lifetime, application.audience = scope, lifetime, audience
            elif what == "enable":
                enable_application(change, name)
                application.is_disabled = False
            else:
                if what == "void":
                    void_tokens_of_application(change, name)
                elif what == "disable":
                    disable_application(change, name)
                    application.is_disabled = True
                else:
                    delete_application(change, name)
                    application.is_deleted = True
                self.model.void([token for token in self.model.tokens if token.secret.application is application])

    @precondition(lambda self: self.model.applications)
    @rule(data=st.data(), expires_in=st.none() | _SPANS, old_end_in=st.none() | _SPANS, rotates=st.booleans())
    def create_secret(
        self, data: st.DataObject, expires_in: int | None, old_end_in: int | None, *, rotates: bool
    ) -> None:
        """``secrets create`` and ``secrets rotate``."""
        application = data.draw(st.sampled_from(self.model.applications))
        name, now = application.application_id, self.clock.seconds()
        with self._changing(fails=application.is_deleted) as change:
            if rotates:
                rotation = rotate_secret(change, application_id=name, old_end_in=old_end_in, expires_in=expires_in)
                new = rotation.new
                old = [one for one in self.model.secrets if one.application is application and one.is_usable(now)]
                assert {one.secret_id for one in rotation.ending} == {one.secret_id for one in old}
                for one in old if old_end_in is not None else []:
                    assert old_end_in is not None
                    one.ends_at = now + old_end_in if one.ends_at is None else min(one.ends_at, now + old_end_in)
            else:
                new = create_secret(change, application_id=name, expires_in=expires_in)
            ends_at = None if expires_in is None else now + expires_in
            self.model.secrets.append(_Secret(new.kept.secret_id, new.shown, application, ends_at))

    @precondition(lambda self: self.model.secrets)
    @rule(data=st.data(), with_tokens=st.booleans())
    def revoke_secret(self, data: st.DataObject, *, with_tokens: bool) -> None:
        """``secrets revoke``, with or without its tokens."""
        secret = data.draw(st.sampled_from(self.model.secrets))
        with self._changing(fails=secret.application.is_deleted) as change:
            revoke_secret(change, secret.secret_id, with_tokens=with_tokens)
            secret.is_revoked = True
            if with_tokens:
                self.model.void([token for token in self.model.tokens if token.secret is secret])

    @precondition(lambda self: self.model.secrets)
    @rule(data=st.data(), ends_in=st.none() | _SPANS)
    def move_the_end_of_a_secret(self, data: st.DataObject, ends_in: int | None) -> None:
        """``secrets change``."""
        secret = data.draw(st.sampled_from(self.model.secrets))
        now = self.clock.seconds()
        ends_at = None if ends_in is None else now + ends_in
        fails = secret.application.is_deleted or not secret.is_usable(now)
        with self._changing(fails=fails) as change:
            change_secret(change, secret.secret_id, expires_at=ends_at)
            secret.ends_at = ends_at

    @rule(immediately=st.booleans())
    def rotate_keys(self, *, immediately: bool) -> None:
        """``keys rotate``."""
        try:
            rotate(self.registry, MASTER_KEY, "ES256", actor="me", immediately=immediately)
        except Conflict:
            assert not immediately

    @precondition(lambda self: any(not token.is_void for token in self.model.tokens))
    @rule(data=st.data())
    def revoke_the_key_of_a_token(self, data: st.DataObject) -> None:
        """``keys revoke``."""
        token = data.draw(st.sampled_from([token for token in self.model.tokens if not token.is_void]))
        try:
            revoke(self.registry, MASTER_KEY, "ES256", token.kid, actor="me")
        except Conflict:
            assert token.kid in self.model.revoked_kids
        self.model.revoked_kids.add(token.kid)

    @precondition(lambda self: self.model.tokens)
    @rule(data=st.data())
    def revoke_token(self, data: st.DataObject) -> None:
        """``tokens revoke``."""
        token = data.draw(st.sampled_from(self.model.tokens))
        with self.registry.change("me") as change:
            revoke_token(change, token.token_id, expires_at=token.expires_at)
        token.is_void = True

    @precondition(lambda self: self.model.secrets)
    @rule(data=st.data())
    def get_token(self, data: st.DataObject) -> None:
        """A token comes exactly when secret, application and tenant are all good, and says what they say now."""
        secret = data.draw(st.sampled_from(self.model.secrets))
        application = secret.application
        tenant = application.tenant
        now = self.clock.seconds()
        is_good = secret.is_usable(now) and not (
            application.is_disabled or application.is_deleted or tenant.is_disabled or tenant.is_deleted
        )
        shown = ApplicationCredentials(tenant.tenant_id, application.application_id, secret.shown)
        if not is_good:
            with pytest.raises(AuthenticationFailed):
                self.issuer.issue(shown)
            return
        issued = self.issuer.issue(shown)
        assert issued.expires_in == (application.lifetime or tenant.lifetime or SETTINGS.lifetime)
        audience = application.audience or SETTINGS.audience
        caller = self.verifiers[audience].verify(issued.access_token, scope=application.scope)
        assert (caller.tenant_id, caller.application_id) == (tenant.tenant_id, application.application_id)
        assert caller.scopes == frozenset(application.scope.split())
        with self.registry.view() as view:
            active = [key.kid for key in list_signing_keys(view) if key.state(now) == "active"]
        self.model.tokens.append(
            _Token(
                issued.access_token, caller.token_id, secret, active[0], audience, expires_at=now + issued.expires_in
            )
        )

    @precondition(lambda self: self.model.tokens)
    @rule(data=st.data())
    def show_token(self, data: st.DataObject) -> None:
        """A token is accepted until it expires, is voided, or its key is; by the API it is for and no other."""
        token = data.draw(st.sampled_from(self.model.tokens))
        is_good = (
            not token.is_void and token.kid not in self.model.revoked_kids and self.clock.seconds() < token.expires_at
        )
        for audience, verifier in self.verifiers.items():
            if is_good and audience == token.audience:
                assert verifier.verify(token.token).token_id == token.token_id
            else:
                with pytest.raises(InvalidToken):
                    verifier.verify(token.token)

    @invariant()
    def registry_shows_what_was_done(self) -> None:
        """Lists hold what is there, and what was deleted can't be had."""
        with self.registry.view() as view:
            tenants = {tenant.tenant_id: tenant.disabled_at is not None for tenant in list_tenants(view)}
            applications = {one.application_id: one.disabled_at is not None for one in list_applications(view)}
            for tenant in self.model.tenants:
                assert tenants.get(tenant.tenant_id) == (None if tenant.is_deleted else tenant.is_disabled)
            for application in self.model.applications:
                expected = None if application.is_deleted else application.is_disabled
                assert applications.get(application.application_id) == expected
            for secret in self.model.secrets[-3:]:
                if secret.application.is_deleted:
                    with pytest.raises(NotFound):
                        get_secret(view, secret.secret_id)
                else:
                    assert (get_secret(view, secret.secret_id).revoked_at is not None) == secret.is_revoked

    @invariant()
    def audit_trail_is_one_chain(self) -> None:
        """Each event's hash follows from the one before, and the registry knows the last."""
        before = None
        with self.registry.view() as view:
            for row in view.statements.chained_events(view.connection, version=0, position=0, limit=1 << 30):
                *event, stored_before, stored = row
                assert stored_before == before
                before = chained_hash(before, StoredEvent(*event))
                assert stored == before
            assert view.statements.audit_hash(view.connection) == before
            versions = [event.version for event in list_events(view)]
        assert versions == sorted(versions)

    @contextmanager
    def _changing(self, *, fails: bool) -> Iterator[Change]:
        """Change the registry, which fails exactly where the model says so, and then has changed nothing."""
        try:
            with self.registry.change("me") as change:
                yield change
        except (NotFound, Conflict):
            assert fails
        else:
            assert not fails

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.place.close()
        shutil.rmtree(self.folder)


Lifecycle.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestLifecycle = pytest.mark.waits(pytest.mark.slow(Lifecycle.TestCase))
