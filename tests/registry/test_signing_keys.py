from dataclasses import replace

import apsw
import psycopg
import pytest

from sensos_auth.model.signing_key import SigningKey
from sensos_auth.registry import Registry
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.signing_keys import (
    add_signing_key,
    erase_private_keys,
    list_signing_keys,
    mark_signing_key_revoked,
    schedule_signing_key,
    sealed_private_key,
    signing_keys_version,
)
from tests.registries import START

_FIRST = SigningKey("first", "ES256", "{}", START, START, None, None, has_private_key=True)


def test_stored_key_is_listed_as_it_was(registry: Registry) -> None:
    """The public half, the schedule, and whether there is a private half, are what was stored."""
    with registry.change("me") as change:
        add_signing_key(change, _FIRST, b"sealed")
    with registry.view() as view:
        assert list_signing_keys(view) == [_FIRST]
        assert sealed_private_key(view, "first") == b"sealed"
        assert sealed_private_key(view, "other") is None


def test_f13_two_keys_can_not_be_last_in_line(registry: Registry) -> None:
    """The database itself refuses a second key without an end, whatever the program does."""
    with registry.change("me") as change:
        add_signing_key(change, _FIRST, b"a")
    refused = pytest.raises((apsw.ConstraintError, psycopg.errors.UniqueViolation))
    with refused, registry.change("me") as change:
        add_signing_key(change, replace(_FIRST, kid="second"), b"b")
    with registry.view() as view:
        assert list_signing_keys(view) == [_FIRST]


def test_version_of_the_keys_follows_their_changes(registry: Registry) -> None:
    """Adding, scheduling and revoking say that the keys must be read again; erasing a private half need not."""
    seen = []
    with registry.change("me") as change:
        add_signing_key(change, _FIRST, b"a")
        seen.append((change.version, signing_keys_version(change)))
    with registry.change("me") as change:
        schedule_signing_key(change, "first", signs_from=START, signs_until=START + 5)
        seen.append((change.version, signing_keys_version(change)))
    with registry.change("me") as change:
        mark_signing_key_revoked(change, "first")
        seen.append((change.version, signing_keys_version(change)))
    assert all(version == of_keys for version, of_keys in seen)
    with registry.change("me") as change:
        erase_private_keys(change, ["first"])
        assert signing_keys_version(change) == seen[-1][0]


def test_revoked_key_loses_its_private_half_at_once(registry: Registry) -> None:
    """Revoking erases the private half in the same change, and the audit trail tells."""
    with registry.change("me") as change:
        add_signing_key(change, _FIRST, b"a")
    with registry.change("me") as change:
        mark_signing_key_revoked(change, "first")
    with registry.view() as view:
        assert list_signing_keys(view) == [replace(_FIRST, revoked_at=START, has_private_key=False)]
        assert [event.action for event in list_events(view)] == ["signing_key.published", "signing_key.revoked"]
