import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensos_auth.model.errors import Conflict, InvalidInput, NotFound, SensosAuthError
from sensos_auth.registry import Registry
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.tenants import create_tenant, disable_tenant, list_tenants
from tests.registries import START, Clock, Place


class _Interrupted(BaseException):
    """Such as KeyboardInterrupt."""


def test_version_is_the_time_in_milliseconds(registry: Registry, clock: Clock) -> None:
    """On a quiet registry, the version of a change is its Unix time in milliseconds."""
    with registry.change("me") as change:
        create_tenant(change, name="a")
        assert change.version == clock.milliseconds


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(jumps=st.lists(st.integers(-(10**9), 10**9), max_size=6))
def test_version_rises_with_every_change_whatever_the_clock_does(
    registry: Registry, clock: Clock, jumps: list[int]
) -> None:
    """Each version is max(previous + 1, Unix milliseconds)."""
    with registry.change("me") as change:
        previous = change.version
        create_tenant(change, name="a")
    for jump in jumps:
        clock.milliseconds = max(0, clock.milliseconds + jump)
        with registry.change("me") as change:
            create_tenant(change, name="a")
        assert change.version == max(previous + 1, clock.milliseconds)
        previous = change.version


def test_z53_clock_an_hour_back_does_not_take_the_version_back(registry: Registry, clock: Clock) -> None:
    """The version goes on above the last one while the clock is behind it."""
    versions = []
    for jump in (0, -3600, 0):
        clock.advance(jump)
        with registry.change("me") as change:
            create_tenant(change, name="a")
            versions.append(change.version)
    assert versions == [START * 1000, START * 1000 + 1, START * 1000 + 2]


def test_change_without_audit_event_is_refused(registry: Registry) -> None:
    """A change that says nothing of itself is rolled back, the version with it."""
    with pytest.raises(RuntimeError, match="audit event"), registry.change("me") as change:
        change.statements.insert_tenant(
            change.connection, tenant_id="ten_x", name="x", lifetime=None, created_at=1, created_version=1
        )
    with registry.view() as view:
        assert list_tenants(view) == []
        assert view.statements.clock(view.connection)[0] == 0


@pytest.mark.parametrize("interruption", [ValueError, _Interrupted])
def test_on_an_exception_nothing_has_happened(registry: Registry, interruption: type[BaseException]) -> None:
    """Neither the change, nor its audit event, nor its version is there; and the next change works."""
    with pytest.raises(interruption), registry.change("me") as change:  # noqa: PT012 - what comes before the raise counts
        create_tenant(change, name="lost")
        raise interruption
    with registry.view() as view:
        assert (list_tenants(view), list_events(view)) == ([], [])
        assert view.statements.clock(view.connection)[0] == 0
    with registry.change("me") as change:
        create_tenant(change, name="kept")
    with registry.view() as view:
        assert [tenant.name for tenant in list_tenants(view)] == ["kept"]


def test_event_is_in_the_transaction_of_its_change(place: Place) -> None:
    """Nobody else sees a change without its event, or an event without its change."""
    writer, reader = place.open(), place.open()
    with writer.change("me") as change:
        create_tenant(change, name="a")
        with reader.view() as view:
            assert (list_tenants(view), list_events(view)) == ([], [])
    with reader.view() as view:
        tenants, events = list_tenants(view), list_events(view)
    assert [event.subject for event in events] == [tenants[0].tenant_id]
    assert events[0].version == change.version


def test_events_of_one_change_are_in_their_order(registry: Registry) -> None:
    """Events of one change share its version and are numbered from 0."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="a", lifetime=9).tenant_id
        disable_tenant(change, tenant_id)
    with registry.view() as view:
        events = list_events(view)
    assert [(event.version, event.position, event.action) for event in events] == [
        (change.version, 0, "tenant.created"),
        (change.version, 1, "tenant.disabled"),
    ]
    assert events[0].details == {"name": "a"}


def test_view_is_one_state_from_beginning_to_end(place: Place) -> None:
    """What others commit meanwhile is not seen before the next view."""
    writer, reader = place.open(), place.open()
    with reader.view() as view:
        assert list_tenants(view) == []
        with writer.change("me") as change:
            create_tenant(change, name="a")
        assert list_tenants(view) == []
    with reader.view() as view:
        assert len(list_tenants(view)) == 1


def test_versions_rise_in_commit_order_with_several_writers(place: Place) -> None:
    """Of several writers at once, a reader never sees a version appear below one that it has seen."""
    place.open()
    rounds, writers = 15, 3
    registries = [place.open() for _ in range(writers)]

    def write(registry: Registry) -> None:
        for _ in range(rounds):
            with registry.change("me") as change:
                create_tenant(change, name="a")

    threads = [threading.Thread(target=write, args=(registry,)) for registry in registries]
    for thread in threads:
        thread.start()
    reader, seen = place.open(), [0]
    while seen[-1] < START * 1000 + rounds * writers - 1:
        with reader.view() as view:
            versions = [event.version for event in list_events(view)]
        assert versions[: len(seen) - 1] == seen[1:]
        seen = [0, *versions]
    for thread in threads:
        thread.join()
    assert seen[1:] == [START * 1000 + number for number in range(rounds * writers)]


@pytest.mark.parametrize(
    ("actions", "waits"),
    [
        (["tenant.created", "application.created", "secret.created"], 0),
        (["application.enabled", "tenant.enabled"], 0),
        (["secret.expires_soon"], 0),  # one change for each secret, in a thread that has other duties
        (["authentication.refused"], 0),
        (["issuing.unlocked"], 0),
        (["application.disabled"], 1),
        (["application.enabled", "secret.revoked"], 1),
        (["application.changed"], 1),
        (["signing_key.scheduled"], 1),
        (["something.new"], 1),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else None,
)
def test_only_what_takes_something_away_is_waited_for(
    registry: Registry, actions: list[str], waits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is not known to give takes away. Nobody waits for a change that has not happened."""
    monkeypatch.setattr(registry.database, "settles_in", 0.5)
    settled: list[float] = []
    registry.settle = settled.append
    with registry.change("me") as change:
        for action in actions:
            change.record(action, "somebody")
        assert settled == []
    assert settled == [0.5] * waits
    with pytest.raises(ValueError, match="no"), registry.change("me") as change:  # noqa: PT012 - abandoned
        change.record("application.disabled", "somebody")
        raise ValueError("no")
    assert settled == [0.5] * waits


@pytest.mark.parametrize(
    ("refusal", "waits"), [(NotFound("gone"), 1), (Conflict("revoked already"), 1), (InvalidInput("no name"), 0)]
)
def test_refusal_because_it_is_gone_already_waits_as_well(
    registry: Registry, refusal: SensosAuthError, waits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has taken it away may still wait, and who hears that it is gone takes that for gone everywhere."""
    monkeypatch.setattr(registry.database, "settles_in", 0.5)
    settled: list[float] = []
    registry.settle = settled.append
    with pytest.raises(type(refusal)), registry.change("me"):
        raise refusal
    assert settled == [0.5] * waits
    with pytest.raises(type(refusal)), registry.refusals_settled(), registry.view():
        raise refusal
    assert settled == [0.5] * waits * 2


@pytest.mark.parametrize("refusal", [NotFound("gone"), Conflict("revoked already")])
def test_no_refusal_waits_where_there_is_one_node(sqlite_registry: Registry, refusal: SensosAuthError) -> None:
    """Its answers are of this moment."""
    settled: list[float] = []
    sqlite_registry.settle = settled.append
    with pytest.raises(type(refusal)), sqlite_registry.change("me"):
        raise refusal
    assert settled == []
