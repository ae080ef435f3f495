"""What a verifier kept of the revocation feed, as evidence of what was taken away after a backup.

The file of a verifier is not signed (its pages were, but it keeps their sum). So it is believed in one direction only:
what it says to be void becomes void, and what it names loses what it has.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sensos_auth.model.errors import NotFound
from sensos_auth.model.revocation import DIGEST_LENGTH, RevocationKind, subject_digest
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.registry.applications import disable_application
from sensos_auth.registry.secrets import revoke_secret
from sensos_auth.registry.signing_keys import list_signing_keys, mark_signing_key_revoked, schedule_signing_key
from sensos_auth.registry.tenants import disable_tenant
from sensos_auth.registry.transactions import Change

# Seconds. No entry is kept for longer than those of signing keys, and a clock may be wrong by so much.
_ENDS_WITHIN = 14 * 86_400


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: RevocationKind
    digest: bytes
    void_before: int | None
    ends_at: int


def apply_feed(change: Change, page: RevocationPage, since: int) -> int:
    """Write the entries of the page back, and take away what they name; return how many things that were.

    An application, a tenant or a secret whose tokens were voided after the registry version ``since`` is disabled or
    revoked, and so is every signing key that the page names.
    """
    named: dict[tuple[RevocationKind, bytes], str] = {}
    for kind, identifier in _identifiers(change):
        named[kind, subject_digest(kind, identifier)] = identifier
    taken = 0
    for entry in _entries(page, change.now):
        change.statements.write_revocation(
            change.connection,
            kind=str(entry.kind),
            digest=entry.digest,
            version=change.version,
            void_before=entry.void_before,
            ends_at=entry.ends_at,
        )
        subject = named.get((entry.kind, entry.digest))
        if subject is not None and (entry.void_before is None or entry.void_before > since):
            taken += _take_away(change, entry.kind, subject)
    change.statements.mark_revocations_changed(change.connection, version=change.version)
    return taken


def _take_away(change: Change, kind: RevocationKind, identifier: str) -> bool:
    try:
        match kind:
            case RevocationKind.APPLICATION:
                disable_application(change, identifier)
            case RevocationKind.TENANT:
                disable_tenant(change, identifier)
            case RevocationKind.CREDENTIAL:
                revoke_secret(change, identifier, with_tokens=True)
            case RevocationKind.SIGNING_KEY:
                _revoke_signing_key(change, identifier)
            case RevocationKind.TOKEN:
                return False
    except NotFound:  # deleted already, by what the journal told
        return False
    return True


def _revoke_signing_key(change: Change, kid: str) -> None:
    key = next(key for key in list_signing_keys(change) if key.kid == kid)
    if key.revoked_at is not None:
        return
    if key.signs_until is None:
        starts = min(key.signs_from, change.now)
        schedule_signing_key(change, kid, signs_from=starts, signs_until=change.now)
    mark_signing_key_revoked(change, kid)


def _identifiers(change: Change) -> Iterator[tuple[RevocationKind, str]]:
    statements, connection = change.statements, change.connection
    for kind, rows in (
        (RevocationKind.TENANT, statements.all_tenant_ids(connection)),
        (RevocationKind.APPLICATION, statements.all_application_ids(connection)),
        (RevocationKind.CREDENTIAL, statements.all_secret_ids(connection)),
    ):
        for (identifier,) in rows:
            yield kind, identifier
    for key in list_signing_keys(change):
        yield RevocationKind.SIGNING_KEY, key.kid


def _entries(page: RevocationPage, now: int) -> Iterator[_Entry]:
    """Yield what has not ended, none for longer than any entry lasts, and none for tokens of the future."""
    latest = now + _ENDS_WITHIN
    for ends_at, digests in page.tokens:
        for start in range(0, len(digests) - DIGEST_LENGTH + 1, DIGEST_LENGTH):
            if ends_at > now:
                yield _Entry(RevocationKind.TOKEN, digests[start : start + DIGEST_LENGTH], None, min(ends_at, latest))
    for kind, entries in (
        (RevocationKind.CREDENTIAL, page.credentials),
        (RevocationKind.APPLICATION, page.applications),
        (RevocationKind.TENANT, page.tenants),
    ):
        for digest, void_before, ends_at in entries:
            if ends_at > now and len(digest) == DIGEST_LENGTH:
                yield _Entry(kind, digest, min(void_before, page.version), min(ends_at, latest))
    for digest, ends_at in page.signing_keys:
        if ends_at > now and len(digest) == DIGEST_LENGTH:
            yield _Entry(RevocationKind.SIGNING_KEY, digest, None, min(ends_at, latest))
