from dataclasses import replace

import pytest

from sensos_auth.registry import Registry, verifiers
from sensos_auth.registry.applications import create_application, disable_application, enable_application
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.revocations import registry_version
from sensos_auth.registry.tenants import create_tenant, disable_tenant, enable_tenant
from sensos_auth.registry.verifiers import (
    VerifierReport,
    list_verifiers,
    live_verifiers,
    purge_verifiers,
    record_verifiers,
    verifiers_without_key,
)
from tests.registries import START, Clock

NOW = START * 1000
REPORT = VerifierReport("app_a", "api-1", "ten_a", 5, ("k1", "k2"), NOW, NOW + 40_000)


@pytest.fixture
def registry(registry: Registry) -> Registry:
    """Return a registry that has reached the versions of these reports."""
    with registry.change("me") as change:
        create_tenant(change, name="Blue Motors")
    return registry


def record(registry: Registry, *reports: VerifierReport) -> None:
    """Keep the reports."""
    with registry.observation() as view:
        record_verifiers(view, reports)


def known(registry: Registry) -> list[VerifierReport]:
    """Return all reports."""
    with registry.view() as view:
        return list_verifiers(view)


def test_report_is_kept_as_it_was_given(registry: Registry) -> None:
    """With no keys, too."""
    without_keys = replace(REPORT, name="api-2", kids=())
    record(registry, REPORT, without_keys)
    assert known(registry) == [REPORT, without_keys]


def test_later_poll_counts_in_whatever_order_they_are_written(registry: Registry) -> None:
    """Workers write their reports when they can; of the same poll, the one written last counts."""
    later = replace(REPORT, version=9, seen_at=NOW + 5, live_until=NOW + 10_000)
    record(registry, later, REPORT)
    assert known(registry) == [later]
    gone = replace(later, live_until=NOW + 5_000)
    record(registry, gone)
    assert known(registry) == [gone]


def test_verifiers_of_two_applications_can_have_one_name(registry: Registry) -> None:
    """A verifier speaks for itself, never for that of another application."""
    other = replace(REPORT, application_id="app_b", version=1)
    record(registry, other, REPORT)
    assert known(registry) == [REPORT, other]


def test_who_is_live(registry: Registry) -> None:
    """Until the moment that its report says."""
    record(registry, REPORT, replace(REPORT, name="gone", live_until=NOW))
    with registry.view() as view:
        assert live_verifiers(view, NOW) == [REPORT]
        assert live_verifiers(view, NOW + 40_000) == []


def test_version_that_the_registry_has_not_reached_is_no_version(registry: Registry) -> None:
    """Nobody can have heard of it: the report is worth as much as that of a verifier which holds nothing."""
    with registry.view() as view:
        newest = registry_version(view)
    record(registry, replace(REPORT, version=newest), replace(REPORT, name="liar", version=newest + 1))
    assert [report.version for report in known(registry)] == [newest, 0]


def test_nobody_is_counted_on_whose_application_may_not_report(registry: Registry) -> None:
    """Disabled, or of a disabled tenant; as soon as it may again, the last report counts again."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        application_id = create_application(change, tenant_id=tenant_id, name="Gates").application_id
    record(registry, REPORT, replace(REPORT, application_id=application_id))

    def counted() -> int:
        with registry.view() as view:
            return len(live_verifiers(view, NOW))

    for end, begin, identifier in (
        (disable_application, enable_application, application_id),
        (disable_tenant, enable_tenant, tenant_id),
    ):
        assert counted() == 2
        with registry.change("me") as change:
            end(change, identifier)
        assert counted() == 1
        with registry.change("me") as change:
            begin(change, identifier)
    assert counted() == 2


def test_z53_clock_that_was_set_back_makes_nobody_late(registry: Registry) -> None:
    """What was said before it counts no more: reports replace it at once, and who fell silent is not waited for."""
    record(registry, REPORT, replace(REPORT, name="silent"))
    back = NOW - 3_600_000
    with registry.view() as view:
        assert live_verifiers(view, back) == []
    again = replace(REPORT, version=9, seen_at=back, live_until=back + 40_000)
    record(registry, again)
    with registry.view() as view:
        assert live_verifiers(view, back) == [again]


def test_who_lacks_a_key(registry: Registry) -> None:
    """Live verifiers that say which keys they hold; one that names none says nothing."""
    record(
        registry,
        REPORT,
        replace(REPORT, name="new", kids=("k3", "k1")),
        replace(REPORT, name="silent", kids=()),
        replace(REPORT, name="gone", live_until=NOW),
    )
    with registry.view() as view:
        assert verifiers_without_key(view, "k3", NOW) == [REPORT]


def test_pages_of_verifiers_are_complete(registry: Registry) -> None:
    """By application ID and name."""
    made = [replace(REPORT, application_id=f"app_{letter}", name=name) for letter in "ab" for name in ("x", "y", "z")]
    record(registry, *reversed(made))
    seen: list[VerifierReport] = []
    after = ("", "")
    with registry.view() as view:
        while some := list_verifiers(view, after=after, limit=2):
            seen += some
            after = seen[-1].application_id, seen[-1].name
    assert seen == made


def test_application_cannot_fill_the_registry_with_names(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further verifier is passed over, one that is known already is not, and other applications have room."""
    monkeypatch.setattr(verifiers, "MOST_VERIFIERS", 2)
    record(registry, REPORT, replace(REPORT, name="b"), replace(REPORT, name="c"))
    newer = replace(REPORT, seen_at=NOW + 1)
    record(registry, newer, replace(REPORT, application_id="app_b"))
    assert [(report.application_id, report.name) for report in known(registry)] == [
        ("app_a", "api-1"),
        ("app_a", "b"),
        ("app_b", "api-1"),
    ]
    assert known(registry)[0] == newer


def test_observations_are_no_changes(registry: Registry, clock: Clock) -> None:
    """They raise no version and write no audit event; who went away an hour ago is forgotten."""
    with registry.view() as view:
        before = registry_version(view), list_events(view)
    record(registry, REPORT, replace(REPORT, name="gone", live_until=NOW))
    clock.advance(3600)
    purge_verifiers(registry)
    assert known(registry) == [REPORT]
    with registry.view() as view:
        assert (registry_version(view), list_events(view)) == before
