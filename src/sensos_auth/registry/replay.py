"""What was taken away after a backup is taken away again, as the audit events of that time tell.

Only taking away is replayed: whoever could write to a journal must not gain anything by it. What was made after the
backup is lost, and what it was allowed is void.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import UNSET

from sensos_auth.model.application import Application
from sensos_auth.model.errors import NotFound
from sensos_auth.model.revocation import RevocationKind
from sensos_auth.model.signing_key import SigningKey
from sensos_auth.registry.applications import (
    change_application,
    delete_application,
    disable_application,
    get_application,
    void_tokens_of_application,
)
from sensos_auth.registry.audit import AuditEvent
from sensos_auth.registry.revocations import ROUNDED_TO, revoke_token, void_signing_key, void_tokens
from sensos_auth.registry.secrets import change_secret, get_secret, revoke_secret
from sensos_auth.registry.signing_keys import (
    erase_private_keys,
    list_signing_keys,
    mark_signing_key_revoked,
    schedule_signing_key,
)
from sensos_auth.registry.tenant_deletion import delete_tenant
from sensos_auth.registry.tenants import change_tenant, disable_tenant, get_tenant
from sensos_auth.registry.transactions import Change


@dataclass(slots=True)
class _Story:
    """What happened to one subject, in its order; and the first and the last event of each action."""

    first: dict[str, AuditEvent] = field(default_factory=dict)
    last: dict[str, AuditEvent] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    events: list[AuditEvent] = field(default_factory=list)

    def add(self, action: str, event: AuditEvent) -> None:
        self.first.setdefault(action, event)
        self.last[action] = event
        self.order.append(action)
        self.events.append(event)

    def ends_with(self, action: str, other: str) -> bool:
        """Tell whether of the two actions this one was the later."""
        return next((each for each in reversed(self.order) if each in {action, other}), other) == action


def replay(change: Change, events: Sequence[AuditEvent]) -> int:
    """Take away again what the events took away, and return how many things are lost because they were made since.

    ``events`` are all those after the change that the registry was backed up at, in their order. The tokens of a tenant
    or an application that is lost are void. Those of a lost secret are as good as its application.
    """
    stories: dict[str, dict[str, _Story]] = {}
    for event in events:
        kind, _, action = event.action.partition(".")
        stories.setdefault(kind, {}).setdefault(event.subject, _Story()).add(action, event)
    lost = sum(_lose(change, kind, stories.get(kind, {})) for kind in ("tenant", "application", "secret"))
    for subject, story in stories.get("tenant", {}).items():
        if "created" not in story.first:
            _replay_tenant(change, subject, story)
    for subject, story in stories.get("application", {}).items():
        if "created" not in story.first:
            _replay_application(change, subject, story)
    for subject, story in stories.get("secret", {}).items():
        _replay_secret(change, subject, story)
    for subject, story in stories.get("token", {}).items():
        _replay_token(change, subject, story.last["revoked"])
    _replay_signing_keys(change, stories.get("signing_key", {}))
    return lost


def _lose(change: Change, kind: str, stories: dict[str, _Story]) -> int:
    lost = [(subject, story.first["created"]) for subject, story in stories.items() if "created" in story.first]
    for subject, created in lost:
        if kind != "secret":
            void_tokens(change, RevocationKind(kind), subject)
        change.record(
            f"{kind}.lost",
            subject,
            tenant_id=created.tenant_id,
            application_id=created.details.get("application_id"),
            tokens=None if kind == "secret" else "void",
        )
    return len(lost)


def _replay_tenant(change: Change, tenant_id: str, story: _Story) -> None:
    try:
        tenant = get_tenant(change, tenant_id)
    except NotFound:
        return
    if "deleted" in story.last:
        delete_tenant(change, tenant_id)
        return
    if story.ends_with("disabled", "enabled"):
        disable_tenant(change, tenant_id)
    elif "disabled" in story.last or "tokens_voided" in story.last:
        void_tokens(change, RevocationKind.TENANT, tenant_id)
        change.record("tenant.tokens_voided", tenant_id, tenant_id=tenant_id, tokens="void")
    lifetime = _shorter(tenant.lifetime, story)
    if lifetime != tenant.lifetime:
        change_tenant(change, tenant_id, lifetime=lifetime)


def _replay_application(change: Change, application_id: str, story: _Story) -> None:
    try:
        application = get_application(change, application_id)
    except NotFound:
        return
    if "deleted" in story.last:
        delete_application(change, application_id)
        return
    if story.ends_with("disabled", "enabled"):
        disable_application(change, application_id)
    elif "disabled" in story.last or "tokens_voided" in story.last:
        void_tokens_of_application(change, application_id)
    if "changed" in story.last:
        _narrow(change, application, story)


def _narrow(change: Change, application: Application, story: _Story) -> None:
    details = story.last["changed"].details
    allowed = str(details.get("scope", "")).split()
    scope = " ".join(each for each in application.scope.split() if each in allowed)
    lifetime = _shorter(application.lifetime, story)
    if (scope, lifetime) != (application.scope, application.lifetime):
        change_application(change, application.application_id, scope=scope, lifetime=lifetime)
    if details.get("audience") != application.audience:
        # Another audience gives as much as it takes: only an operator may say which one it is.
        disable_application(change, application.application_id)


def _replay_secret(change: Change, secret_id: str, story: _Story) -> None:
    revoked = story.last.get("revoked")
    # Each time that it was revoked, and by an earlier restore from which it was lost.
    voided = next((each for each in story.events if each.details.get("tokens") == "void"), None)
    try:
        secret = get_secret(change, secret_id)
    except NotFound:
        if voided is not None:
            void_tokens(change, RevocationKind.CREDENTIAL, secret_id)
            change.record("secret.tokens_voided", secret_id, tenant_id=voided.tenant_id, tokens="void")
        return
    if revoked is not None:
        revoke_secret(change, secret_id, with_tokens=voided is not None)
        return
    last = next((story.last[each] for each in reversed(story.order) if each in {"changed", "rotated"}), None)
    if last is None or secret.state(change.now) != "active":
        return
    ends_at, unused_for = last.details.get("expires_at"), last.details.get("retire_unused_for")
    is_nearer = isinstance(ends_at, int) and (secret.expires_at is None or ends_at < secret.expires_at)
    if is_nearer and isinstance(ends_at, int) and ends_at <= change.now:
        revoke_secret(change, secret_id)
    elif is_nearer or (isinstance(unused_for, int) and secret.retire_unused_for is None):
        change_secret(
            change,
            secret_id,
            expires_at=ends_at if is_nearer and isinstance(ends_at, int) else UNSET,
            retire_unused_for=unused_for if isinstance(unused_for, int) else UNSET,
        )


def _replay_token(change: Change, token_id: str, event: AuditEvent) -> None:
    ends_at = event.details.get("ends_at")
    if isinstance(ends_at, int) and ends_at <= change.now:
        return
    application_id = event.details.get("application_id")
    revoke_token(
        change,
        token_id,
        expires_at=ends_at - ROUNDED_TO if isinstance(ends_at, int) else None,
        tenant_id=event.tenant_id,
        application_id=None if application_id is None else str(application_id),
    )


def _replay_signing_keys(change: Change, stories: dict[str, _Story]) -> None:
    known = {key.kid: key for key in list_signing_keys(change)}
    for kid, story in stories.items():
        key = known.get(kid)
        if key is None:
            change.record("signing_key.lost", kid)
            if "revoked" in story.last:
                void_signing_key(change, kid)
            continue
        if key.revoked_at is not None:
            continue
        if "revoked" in story.last:
            _end(change, key)
            mark_signing_key_revoked(change, kid)
        elif "erased" in story.last:
            _end(change, key)
            erase_private_keys(change, [kid])
        elif "scheduled" in story.last:
            _reschedule(change, key, story.last["scheduled"])
    _let_last_sign_on(change)


def _reschedule(change: Change, key: SigningKey, scheduled: AuditEvent) -> None:
    """Let a key end that was rotated away, and its successor begin if the registry has it.

    A takeover that lies ahead is off when the successor is lost, and stands when it is not.
    """
    starts, until = scheduled.details.get("signs_from"), scheduled.details.get("signs_until")
    if isinstance(until, int) and until <= change.now:
        _end(change, key)
    elif key.signs_until is None and isinstance(starts, int) and starts < min(key.signs_from, change.now + 1):
        schedule_signing_key(change, key.kid, signs_from=starts, signs_until=None)


def _let_last_sign_on(change: Change) -> None:
    """Where no key is left to take over from the active one, let that one sign on."""
    keys = [key for key in list_signing_keys(change) if key.revoked_at is None]
    standing = [key for key in keys if key.has_private_key and (key.signs_until or 0) > change.now]
    if standing and all(key.signs_until is not None for key in keys):
        last = max(standing, key=lambda key: key.signs_from)
        schedule_signing_key(change, last.kid, signs_from=last.signs_from, signs_until=None)


def _end(change: Change, key: SigningKey) -> None:
    """Let the key sign no more; the service makes another one when it starts."""
    if key.signs_until is None or key.signs_until > change.now:
        starts = min(key.signs_from, change.now)
        schedule_signing_key(change, key.kid, signs_from=starts, signs_until=change.now)


def _shorter(held: int | None, story: _Story) -> int | None:
    changed = story.last.get("changed")
    told = None if changed is None else changed.details.get("lifetime")
    if not isinstance(told, int):
        return held
    return told if held is None else min(held, told)
