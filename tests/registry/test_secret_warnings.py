"""Warnings before a secret ends: each once, and none where nobody could use the secret."""

import pytest

from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, disable_application
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.secret_warnings import ending_secrets, warn_of_ending_secrets
from sensos_auth.registry.secrets import change_secret, create_secret, get_secret, revoke_secret
from sensos_auth.registry.tenants import create_tenant, disable_tenant
from tests.registries import START, Clock, Place

DAY = 86_400


@pytest.fixture
def application_id(registry: Registry) -> str:
    """Return the ID of an application without secrets."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        return create_application(change, tenant_id=tenant_id, name="Pump").application_id


def _new(registry: Registry, application_id: str, expires_in: int | None, label: str = "") -> str:
    with registry.change("me") as change:
        new = create_secret(change, application_id=application_id, expires_in=expires_in, label=label)
    return new.kept.secret_id


def _warned(registry: Registry) -> list[int]:
    return [warned.days for warned in warn_of_ending_secrets(registry)]


def test_i08_each_threshold_warns_once(registry: Registry, application_id: str, clock: Clock) -> None:
    """90, 60, 30, 15, 7 and 1 days before; however often one looks; and no more when it has ended."""
    _new(registry, application_id, 100 * DAY)
    days = []
    for _ in range(102):
        days.append(_warned(registry))
        assert _warned(registry) == []
        clock.advance(DAY)
    assert {left: given for left, given in zip(range(100, -2, -1), days, strict=True) if given} == {
        90: [90],
        60: [60],
        30: [30],
        15: [15],
        7: [7],
        1: [1],
    }


def test_i08_missed_thresholds_are_skipped_to_the_nearest(
    registry: Registry, application_id: str, clock: Clock
) -> None:
    """A service that was off for long gives one warning, the one that is true now."""
    _new(registry, application_id, 100 * DAY)
    clock.advance(94 * DAY)
    assert _warned(registry) == [7]
    assert _warned(registry) == []


def test_i08_warning_is_in_the_trail(registry: Registry, application_id: str) -> None:
    """One event: which secret, of whom, when it ends, and which warning that is; its ETag stays what it was."""
    secret_id = _new(registry, application_id, 5 * DAY, label="plant 4")
    with registry.view() as view:
        before = get_secret(view, secret_id)
    (warned,) = warn_of_ending_secrets(registry)
    with registry.view() as view:
        event = list_events(view)[-1]
        assert get_secret(view, secret_id) == before
    assert (event.actor, event.action, event.subject) == ("system:warnings", "secret.expires_soon", secret_id)
    assert event.tenant_id == warned.secret.tenant_id
    assert event.details == {
        "application_id": application_id,
        "label": "plant 4",
        "expires_at": START + 5 * DAY,
        "days": 7,
    }


def test_i08_of_several_processes_one_warns(place: Place, registry: Registry, application_id: str) -> None:
    """Two that have both seen what is due: the second finds it done."""
    _new(registry, application_id, 5 * DAY)
    _new(registry, application_id, 6 * DAY)
    one, other = warn_of_ending_secrets(registry), warn_of_ending_secrets(place.open())
    given = [next(one), *other, *one]
    assert len({warned.secret.secret_id for warned in given}) == len(given) == 2


def test_no_warning_where_nobody_could_use_it(registry: Registry, application_id: str) -> None:
    """Revoked, never ending or long to live; of a disabled application or tenant."""
    _new(registry, application_id, None)
    _new(registry, application_id, 91 * DAY)
    revoked = _new(registry, application_id, DAY)
    with registry.change("me") as change:
        tenant = create_tenant(change, name="Gone")
        theirs = create_application(change, tenant_id=tenant.tenant_id, name="Pump").application_id
        disabled = create_application(change, tenant_id=tenant.tenant_id, name="Off").application_id
        create_secret(change, application_id=theirs, expires_in=DAY)
        create_secret(change, application_id=disabled, expires_in=DAY)
        disable_tenant(change, tenant.tenant_id)
        disable_application(change, disabled)
        revoke_secret(change, revoked)
    assert _warned(registry) == []
    with registry.view() as view:
        assert ending_secrets(view, 90 * DAY) == []


def test_who_moves_the_end_is_warned_anew(registry: Registry, application_id: str, clock: Clock) -> None:
    """A later end has its own warnings; what leaves the end alone warns nobody again."""
    secret_id = _new(registry, application_id, DAY)
    assert _warned(registry) == [1]
    with registry.change("me") as change:
        change_secret(change, secret_id, label="press")
    assert _warned(registry) == []
    with registry.change("me") as change:
        change_secret(change, secret_id, expires_at=clock.seconds() + 20 * DAY)
    assert _warned(registry) == [30]


def test_what_ends_first_comes_first(registry: Registry, application_id: str) -> None:
    """And only what ends within the time that is asked for."""
    later, sooner = _new(registry, application_id, 9 * DAY), _new(registry, application_id, 2 * DAY)
    _new(registry, application_id, 11 * DAY)
    with registry.view() as view:
        assert [secret.secret_id for secret in ending_secrets(view, 10 * DAY)] == [sooner, later]
