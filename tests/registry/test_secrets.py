import pytest

from sensos_auth.model.application_secret import Secret, digest, has_valid_checksum
from sensos_auth.model.errors import Conflict, InvalidInput, NotFound
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.credentials import find_credential
from sensos_auth.registry.secrets import (
    MOST_GOOD_SECRETS,
    create_secret,
    get_secret,
    list_secrets,
    revoke_secret,
    rotate_secret,
)
from sensos_auth.registry.tenants import create_tenant
from tests.registries import START, Clock


@pytest.fixture
def application_id(registry: Registry) -> str:
    """Return the ID of an application without secrets."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        return create_application(change, tenant_id=tenant_id, name="Pump").application_id


def test_several_secrets_are_valid_at_once(registry: Registry, application_id: str) -> None:
    """Rotation without downtime: a second secret leaves the first as it is."""
    with registry.change("me") as change:
        first, second = (create_secret(change, application_id=application_id, expires_in=n) for n in (None, 60))
    with registry.view() as view:
        assert list_secrets(view, application_id) == sorted(
            [first.kept, second.kept], key=lambda secret: secret.secret_id
        )
    assert has_valid_checksum(first.shown)
    assert first.shown != second.shown
    assert (first.kept.expires_at, second.kept.expires_at) == (None, START + 60)


def test_secrets_of_an_application_are_not_endless(registry: Registry, application_id: str, clock: Clock) -> None:
    """Who may make secrets can't have a rotation write thousands of events; what has ended makes room."""
    with registry.change("me") as change:
        made = [create_secret(change, application_id=application_id, expires_in=60) for _ in range(MOST_GOOD_SECRETS)]
    for make in (create_secret, rotate_secret):
        with pytest.raises(Conflict, match="revoke those that are not used"), registry.change("me") as change:
            make(change, application_id=application_id)
    with registry.change("me") as change:
        revoke_secret(change, made[0].kept.secret_id)
        create_secret(change, application_id=application_id)
    clock.advance(60)
    with registry.change("me") as change:
        assert len(rotate_secret(change, application_id=application_id).ending) == 1


def test_i15_only_the_digest_is_stored(registry: Registry, application_id: str) -> None:
    """The row's key is the SHA-256 digest, and the secret is nowhere, not in the audit trail either."""
    with registry.change("me") as change:
        shown = create_secret(change, application_id=application_id).shown
    with registry.view() as view:
        found = find_credential(view, digest(shown))
        assert found is not None
        assert found.application_id == application_id
        assert shown not in repr(list_events(view))


def test_new_secret_hides_the_secret(registry: Registry, application_id: str) -> None:
    """The representation of what create_secret returns shows the ID and not the secret."""
    with registry.change("me") as change:
        new = create_secret(change, application_id=application_id)
    assert new.shown not in repr(new)
    assert new.kept.secret_id in repr(new)


@pytest.mark.parametrize("expires_in", [0, -5, 100 * 365 * 86_400 + 1])
def test_bad_expiry_is_refused(registry: Registry, application_id: str, expires_in: int) -> None:
    """A secret expires in 1 second to 100 years, or never."""
    with pytest.raises(InvalidInput), registry.change("me") as change:
        create_secret(change, application_id=application_id, expires_in=expires_in)


def test_revoked_is_for_ever_and_keeps_its_first_time(registry: Registry, application_id: str, clock: Clock) -> None:
    """Revoking twice changes nothing, and nothing un-revokes."""
    with registry.change("me") as change:
        secret_id = create_secret(change, application_id=application_id).kept.secret_id
    for _ in range(2):
        clock.advance(7)
        with registry.change("me") as change:
            assert revoke_secret(change, secret_id).revoked_at == START + 7
    with registry.view() as view:
        assert get_secret(view, secret_id).state(START + 7) == "revoked"


def test_unknown_ones_are_not_found(registry: Registry, application_id: str) -> None:
    """Unknown application, secret or cursor: NotFound."""
    nobody, nothing = "app_" + "a" * 26, "sec_" + "a" * 26
    with registry.change("me") as change:
        with pytest.raises(NotFound):
            create_secret(change, application_id=nobody)
        with pytest.raises(NotFound):
            list_secrets(change, nobody)
        with pytest.raises(NotFound):
            list_secrets(change, application_id, after=nothing)
        with pytest.raises(NotFound):
            revoke_secret(change, nothing)
        create_secret(change, application_id=application_id)


def test_pages_are_complete(registry: Registry, application_id: str) -> None:
    """Paging by twos shows each secret once, in the order of creation."""
    made = []
    for _ in range(5):
        with registry.change("me") as change:
            made.append(create_secret(change, application_id=application_id).kept)
    seen = list[Secret]()
    with registry.view() as view:
        while page := list_secrets(view, application_id, after=seen[-1].secret_id if seen else None, limit=2):
            seen += page
    assert seen == made
