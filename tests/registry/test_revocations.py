import pytest

from sensos_auth.model.errors import InvalidInput, NotFound
from sensos_auth.model.revocation import (
    KEYS_ARE_REMEMBERED_FOR,
    TOKENS_LIVE_FOR,
    Provenance,
    Revocation,
    RevocationKind,
    subject_digest,
)
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.model.signing_key import SigningKey
from sensos_auth.registry import Change, Registry, revocations
from sensos_auth.registry.applications import create_application, disable_application, enable_application
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.revocations import (
    find_revocation,
    is_void,
    purge_ended_revocations,
    registry_version,
    revocation_page,
    revocations_version,
    revoke_token,
)
from sensos_auth.registry.secrets import create_secret, revoke_secret
from sensos_auth.registry.signing_keys import add_signing_key, mark_signing_key_revoked
from sensos_auth.registry.tenants import create_tenant, disable_tenant, enable_tenant
from tests.registries import START, Clock

ISSUER = "https://auth.example"
TOKEN = RevocationKind.TOKEN
DAY = 86_400


def page(registry: Registry, since: int = 0, limit: int = 10_000) -> RevocationPage:
    """Return the page after a version."""
    with registry.view() as view:
        return revocation_page(view, ISSUER, since, limit)


def found(registry: Registry, kind: RevocationKind, identifier: str) -> Revocation | None:
    """Return what is kept of a subject."""
    with registry.view() as view:
        return find_revocation(view, kind, identifier)


def revoke(registry: Registry, *token_ids: str, expires_at: int | None = None) -> int:
    """Revoke tokens in one change, and return its version."""
    with registry.change("me") as change:
        for token_id in token_ids:
            revoke_token(change, token_id, expires_at=expires_at)
    return change.version


def digests(one: RevocationPage) -> set[bytes]:
    """Return the digests of the tokens on a page."""
    return {together[start : start + 16] for _, together in one.tokens for start in range(0, len(together), 16)}


@pytest.fixture
def application_id(registry: Registry) -> str:
    """Return the ID of an application."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        return create_application(change, tenant_id=tenant_id, name="Pump").application_id


def test_nothing_revoked_is_an_empty_page(registry: Registry) -> None:
    """A fresh registry's page says nothing but its version, and when it was read."""
    assert page(registry) == RevocationPage(issuer=ISSUER, since=0, version=0, as_of=START)


def test_token_is_kept_until_it_has_expired_everywhere(registry: Registry) -> None:
    """A minute longer than it lives, for clocks that differ; on the page, rounded up to a minute."""
    version = revoke(registry, "abc", expires_at=START + 601)
    digest = subject_digest(TOKEN, "abc")
    assert found(registry, TOKEN, "abc") == Revocation(TOKEN, digest, None, START + 661)
    assert page(registry) == RevocationPage(
        issuer=ISSUER, since=0, version=version, as_of=START, tokens=[(START + 720, digest)]
    )


def test_token_id_alone_is_kept_as_long_as_any_token_lives(registry: Registry) -> None:
    """Who has no more than a log line doesn't know when it expires."""
    revoke(registry, "abc")
    revocation = found(registry, TOKEN, "abc")
    assert revocation is not None
    assert revocation.ends_at == START + TOKENS_LIVE_FOR


def test_z54_token_of_a_clock_that_ran_ahead_stays_void_until_it_expires(registry: Registry) -> None:
    """Though no token that is issued now lives so long; and a week is the end, whatever it says."""
    for token_id, lives, ends in (("ahead", 2 * DAY, 2 * DAY + 60), ("forever", 10**9, 7 * DAY)):
        revoke(registry, token_id, expires_at=START + lives)
        revocation = found(registry, TOKEN, token_id)
        assert revocation is not None
        assert revocation.ends_at == START + ends


@pytest.mark.parametrize("token_id", ["", "a" * 65, "a b", "a\nb", "é"])
def test_what_is_no_token_id_is_refused(registry: Registry, token_id: str) -> None:
    """Nothing is written, and the text is not repeated."""
    with pytest.raises(InvalidInput, match="1 to 64 printable characters without spaces"):
        revoke(registry, token_id)
    assert page(registry).version == 0


def test_revocation_is_told_with_what_it_belongs_to(registry: Registry) -> None:
    """The audit trail names token, tenant and application, and when the entry ends."""
    with registry.change("me") as change:
        revoke_token(change, "abc", expires_at=START + 60, tenant_id="ten_x", application_id="app_x")
    with registry.view() as view:
        (event,) = list_events(view)
    assert (event.action, event.subject, event.tenant_id, event.actor) == ("token.revoked", "abc", "ten_x", "me")
    assert event.details == {"application_id": "app_x", "ends_at": START + 120}


def test_d24_disabled_application_voids_what_was_issued_before(registry: Registry, application_id: str) -> None:
    """Not what it is issued once it is enabled again; enabling writes no entry."""
    with registry.change("me") as change:
        disable_application(change, application_id)
    disabled_at = change.version
    expected = subject_digest(RevocationKind.APPLICATION, application_id), disabled_at, START + TOKENS_LIVE_FOR
    assert page(registry).applications == [expected]
    with registry.change("me") as change:
        enable_application(change, application_id)
    assert page(registry).applications == [expected]
    with registry.view() as view:
        assert revocations_version(view) == disabled_at
        before = Provenance("k", "t", "ten", application_id, "sec", disabled_at - 1)
        assert is_void(view, before)
        assert not is_void(view, before._replace(version=change.version))


def test_disabling_again_voids_again(registry: Registry, application_id: str, clock: Clock) -> None:
    """Also where nothing changes, so that it can be repeated by who is not sure."""
    versions = []
    for _ in range(2):
        clock.advance(10)
        with registry.change("me") as change:
            disable_application(change, application_id)
        versions.append(change.version)
    ((_, void_before, ends_at),) = page(registry).applications
    assert (void_before, ends_at) == (versions[1], START + 20 + TOKENS_LIVE_FOR)


def test_disabled_tenant_voids_the_tokens_of_its_applications(registry: Registry) -> None:
    """In one entry, however many they are; enabling writes none."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
    with registry.change("me") as change:
        disable_tenant(change, tenant_id)
    version = change.version
    with registry.change("me") as change:
        enable_tenant(change, tenant_id)
    assert page(registry).tenants == [
        (subject_digest(RevocationKind.TENANT, tenant_id), version, START + TOKENS_LIVE_FOR)
    ]
    with registry.view() as view:
        assert [(event.action, event.details) for event in list_events(view)[-2:]] == [
            ("tenant.disabled", {"tokens": "void"}),
            ("tenant.enabled", {}),
        ]


def test_i07_secret_is_revoked_with_or_without_its_tokens(registry: Registry, application_id: str) -> None:
    """Without, no verifier hears of it; with, also later, and those of the other secret stay good."""
    with registry.change("me") as change:
        one = create_secret(change, application_id=application_id).kept
        other = create_secret(change, application_id=application_id).kept
    with registry.change("me") as change:
        revoke_secret(change, one.secret_id)
    assert page(registry).credentials == []
    with registry.change("me") as change:
        revoke_secret(change, one.secret_id, with_tokens=True)
    assert page(registry).credentials == [
        (subject_digest(RevocationKind.CREDENTIAL, one.secret_id), change.version, START + TOKENS_LIVE_FOR)
    ]
    with registry.view() as view:
        token = Provenance("k", "t", "ten", application_id, one.secret_id, change.version - 1)
        assert is_void(view, token)
        assert not is_void(view, token._replace(credential_id=other.secret_id))
        events = [event.details.get("tokens") for event in list_events(view) if event.action == "secret.revoked"]
    assert events == [None, "void"]


def test_f16_revoked_signing_key_voids_whatever_it_signs(registry: Registry) -> None:
    """Whatever version the token claims, because who has the key can write any."""
    key = SigningKey("kid1", "ES256", "{}", START, START, None, None, has_private_key=True)
    with registry.change("me") as change:
        add_signing_key(change, key, b"sealed")
        mark_signing_key_revoked(change, "kid1")
    digest = subject_digest(RevocationKind.SIGNING_KEY, "kid1")
    assert page(registry).signing_keys == [(digest, START + KEYS_ARE_REMEMBERED_FOR)]
    with registry.view() as view:
        token = Provenance("kid1", "t", "ten", "app", "sec", 1 << 62)
        assert is_void(view, token)
        assert not is_void(view, token._replace(kid="kid2"))


def test_e27_entry_only_ever_grows(registry: Registry, application_id: str, clock: Clock) -> None:
    """A clock that was set back, or a shorter life the second time, takes nothing back; the entry is told anew."""
    with registry.change("me") as change:
        disable_application(change, application_id)
    revoke(registry, "abc", expires_at=START + 900)
    first = page(registry)
    clock.advance(-500)
    with registry.change("me") as change:
        disable_application(change, application_id)
    revoke(registry, "abc", expires_at=START + 100)
    again = page(registry, since=first.version)
    assert again.tokens == first.tokens
    ((_, void_before, ends_at),) = again.applications
    assert (void_before, ends_at) == (change.version, START + TOKENS_LIVE_FOR)
    assert change.version > first.version


def test_z74_pages_tell_everything_once_and_in_order(registry: Registry) -> None:
    """Going on from each page's version, every entry comes; only the last page has the registry's version."""
    expected = {subject_digest(TOKEN, f"t{number}") for number in range(23)}
    for number in range(23):
        revoke(registry, f"t{number}")
    with registry.change("me") as change:
        create_tenant(change, name="no revocation")
    seen: list[bytes] = []
    since, more, sizes = 0, True, []
    while more:
        one = page(registry, since, limit=5)
        seen += sorted(digests(one))
        sizes.append(len(digests(one)))
        assert one.since == since < one.version
        since, more = one.version, one.more
    assert (len(seen), set(seen), sizes) == (23, expected, [5, 5, 5, 5, 3])
    assert since == change.version
    assert page(registry, since) == RevocationPage(issuer=ISSUER, since=since, version=since, as_of=START)


def test_z74_what_one_change_wrote_is_on_one_page(registry: Registry) -> None:
    """A page grows beyond its limit rather than end within a version, from which nobody could go on."""
    first = revoke(registry, *(f"a{number}" for number in range(4)))
    second = revoke(registry, *(f"b{number}" for number in range(4)))
    one = page(registry, limit=2)
    assert (len(digests(one)), one.version, one.more) == (4, first, True)
    two = page(registry, one.version, limit=4)
    assert (len(digests(two)), two.version, two.more) == (4, second, False)


def test_z74_version_from_the_future_is_answered(registry: Registry) -> None:
    """Who knows more than this registry, because a backup was restored, is told its lower version and nothing else."""
    version = revoke(registry, "abc")
    assert page(registry, since=version + 5) == RevocationPage(
        issuer=ISSUER, since=version + 5, version=version, as_of=START
    )


def test_z54_clock_that_runs_ahead_for_a_while_makes_nothing_good_again(registry: Registry, clock: Clock) -> None:
    """Entries that seem to have ended are not cleaned up for a day."""
    revoke(registry, "abc", expires_at=START + 600)
    clock.advance(DAY)
    purge_ended_revocations(registry)
    clock.advance(-DAY)
    assert found(registry, TOKEN, "abc") is not None
    assert digests(page(registry)) == {subject_digest(TOKEN, "abc")}


def test_ended_entries_are_told_no_more_and_purged(registry: Registry, clock: Clock) -> None:
    """Cleaning up comes a day later and is no change: it has no version and no audit event."""
    revoke(registry, "short", expires_at=START + 60)
    revoke(registry, "long", expires_at=START + DAY + 600)
    clock.advance(121)
    assert digests(page(registry)) == {subject_digest(TOKEN, "long")}
    assert found(registry, TOKEN, "short") is None
    clock.advance(DAY)
    with registry.view() as view:
        before = registry_version(view), revocations_version(view), list_events(view)
    purge_ended_revocations(registry)
    with registry.view() as view:
        assert (registry_version(view), revocations_version(view), list_events(view)) == before
        left = view.statements.revocations_between(view.connection, since=0, until=1 << 62, now=0)
    assert [bytes(row[1]) for row in left] == [subject_digest(TOKEN, "long")]


def test_many_ended_entries_are_purged_bit_by_bit(
    registry: Registry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them in the end."""
    monkeypatch.setattr(revocations, "_PURGED_TOGETHER", 3)
    revoke(registry, *(f"t{number}" for number in range(10)), expires_at=START)
    clock.advance(DAY + 61)
    purge_ended_revocations(registry)
    with registry.view() as view:
        assert list(view.statements.revocations_between(view.connection, since=0, until=1 << 62, now=0)) == []


def test_refused_change_leaves_no_entry(registry: Registry, application_id: str) -> None:
    """An entry stands or falls with the change that it belongs to."""
    with pytest.raises(NotFound), registry.change("me") as change:
        _disable_both(change, application_id, "ten_" + "a" * 26)
    assert page(registry).applications == []
    with registry.view() as view:
        assert revocations_version(view) == 0


def _disable_both(change: Change, application_id: str, tenant_id: str) -> None:
    disable_application(change, application_id)
    disable_tenant(change, tenant_id)
