"""Revocations: what becomes void, and the pages in which verifiers hear of it."""

from collections import defaultdict

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.revocation import (
    KEYS_ARE_REMEMBERED_FOR,
    TOKENS_LIVE_FOR,
    Provenance,
    Revocation,
    RevocationKind,
    subject_digest,
)
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.registry.program_age import check_program
from sensos_auth.registry.transactions import Change, Registry, View

# Entries of a page. A page of the largest size is a quarter of a megabyte.
PAGE_LIMIT = 10_000
_LONGEST_TOKEN_ID = 64
# Seconds by which an entry may outlive its token: ends are rounded up, so that many share one.
ROUNDED_TO = 60
# Seconds. Longer than any token lives: the clock may have been ahead when it was issued, and set back since.
_EXPIRES_WITHIN = 7 * 86_400
_PURGED_TOGETHER = 10_000
# Seconds. Told no more, but not gone: a clock that runs ahead for a while must not make anything good again.
_KEPT_AFTER_END = 86_400


def revoke_token(
    change: Change,
    token_id: str,
    *,
    expires_at: int | None = None,
    tenant_id: str | None = None,
    application_id: str | None = None,
) -> None:
    """Void one access token by its ``jti``. Revoking twice changes nothing.

    ``expires_at`` (UTC seconds) is the token's own; without it, the entry is kept for as long as any token lives.
    ``tenant_id`` and ``application_id`` are for the audit trail. Raises InvalidInput for what can't be a ``jti``.
    """
    if not 0 < len(token_id) <= _LONGEST_TOKEN_ID or not all("!" <= character <= "~" for character in token_id):
        raise InvalidInput(f"a token ID has 1 to {_LONGEST_TOKEN_ID} printable characters without spaces")
    ends_at = change.now + TOKENS_LIVE_FOR
    if expires_at is not None:
        ends_at = min(expires_at + ROUNDED_TO, change.now + _EXPIRES_WITHIN)
    _write(change, RevocationKind.TOKEN, token_id, void_before=None, ends_at=ends_at)
    change.record("token.revoked", token_id, tenant_id=tenant_id, application_id=application_id, ends_at=ends_at)


def void_tokens(change: Change, kind: RevocationKind, identifier: str) -> None:
    """Void the tokens that a credential, an application or a tenant was issued before this change.

    The caller's audit event says so.
    """
    _write(change, kind, identifier, void_before=change.version, ends_at=change.now + TOKENS_LIVE_FOR)


def void_signing_key(change: Change, kid: str) -> None:
    """Void whatever the signing key has signed or will sign. The caller's audit event says so."""
    _write(change, RevocationKind.SIGNING_KEY, kid, void_before=None, ends_at=change.now + KEYS_ARE_REMEMBERED_FOR)


def _write(change: Change, kind: RevocationKind, identifier: str, *, void_before: int | None, ends_at: int) -> None:
    change.statements.write_revocation(
        change.connection,
        kind=str(kind),
        digest=subject_digest(kind, identifier),
        version=change.version,
        void_before=void_before,
        ends_at=ends_at,
    )
    change.statements.mark_revocations_changed(change.connection, version=change.version)


def find_revocation(view: View, kind: RevocationKind, identifier: str) -> Revocation | None:
    """Return what was said of the subject, if anything that has not ended."""
    digest = subject_digest(kind, identifier)
    row = view.statements.revocation(view.connection, kind=str(kind), digest=digest)
    if row is None or row[1] <= view.now:
        return None
    return Revocation(kind, digest, *row)


def is_void(view: View, token: Provenance) -> bool:
    """Tell whether a token of this provenance has been revoked, by itself or with all that one of its origins has."""
    rows = view.statements.revocations_of_token(
        view.connection,
        token=subject_digest(RevocationKind.TOKEN, token.token_id),
        credential=subject_digest(RevocationKind.CREDENTIAL, token.credential_id),
        application=subject_digest(RevocationKind.APPLICATION, token.application_id),
        tenant=subject_digest(RevocationKind.TENANT, token.tenant_id),
        signing_key=subject_digest(RevocationKind.SIGNING_KEY, token.kid),
    )
    return any(void_before is None or token.version < void_before for (void_before,) in rows)


def revocations_version(view: View) -> int:
    """Return the registry version of the last revocation, 0 when there was none."""
    return int(view.statements.revocations_version(view.connection))


def registry_version(view: View) -> int:
    """Return the version of the last change to the registry; raises ProgramTooOld."""
    version, oldest_program = view.statements.registry_version(view.connection)
    check_program(oldest_program)
    return int(version)


def revocation_page(view: View, issuer: str, since: int, limit: int = PAGE_LIMIT) -> RevocationPage:
    """Return the revocations after the version ``since`` that have not ended.

    About ``limit`` of them, and all that one change wrote together: the rest is in the page after the version of this
    one. The last page's version is the registry's.
    """
    last = view.statements.version_of_revocation(view.connection, since=since, position=limit - 1)
    beyond = None
    if last is not None:
        beyond = view.statements.version_of_revocation(view.connection, since=last, position=0)
    more = beyond is not None
    version = last if more else registry_version(view)
    rows = view.statements.revocations_between(view.connection, since=since, until=version, now=view.now)
    tokens: dict[int, list[bytes]] = defaultdict(list)
    voided: dict[str, list[tuple[bytes, int, int]]] = defaultdict(list)
    signing_keys: list[tuple[bytes, int]] = []
    for kind, digest, void_before, ends_at in rows:
        if kind == RevocationKind.TOKEN:
            tokens[-(-ends_at // ROUNDED_TO) * ROUNDED_TO].append(digest)
        elif kind == RevocationKind.SIGNING_KEY:
            signing_keys.append((digest, ends_at))
        else:
            voided[kind].append((digest, void_before, ends_at))
    return RevocationPage(
        issuer=issuer,
        since=since,
        version=version,
        as_of=view.now,
        more=more,
        tokens=[(ends_at, b"".join(digests)) for ends_at, digests in tokens.items()],
        credentials=voided[RevocationKind.CREDENTIAL],
        applications=voided[RevocationKind.APPLICATION],
        tenants=voided[RevocationKind.TENANT],
        signing_keys=signing_keys,
    )


def purge_ended_revocations(registry: Registry) -> None:
    """Forget the entries whose tokens expired a day ago. Raises RegistryUnavailable.

    Some at a time, so that other writers get their turn.
    """
    while _has_to_purge(registry):
        with registry.observation() as view:
            before = view.now - _KEPT_AFTER_END
            view.statements.purge_revocations(view.connection, before=before, limit=_PURGED_TOGETHER)


def _has_to_purge(registry: Registry) -> bool:
    with registry.view() as view:
        return bool(view.statements.has_revocations_to_purge(view.connection, before=view.now - _KEPT_AFTER_END))
