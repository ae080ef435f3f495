from functools import partial
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, delete_application
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.registry.usage import (
    KEPT_MINUTES,
    MinuteCount,
    SecretUse,
    Usage,
    purge_usage,
    record_counts,
    record_uses,
    tokens_alive,
    usage_of,
    use_of_secret,
)
from tests.registries import START, Clock

if TYPE_CHECKING:
    from sensos_auth.registry.usage import Period

NOW = START // 60  # a whole hour, but no whole day
PERIODS: "dict[Period, int]" = {"minute": 60, "hour": 3600, "day": 86_400}


class Known(NamedTuple):
    """An application with a secret, by their IDs."""

    tenant_id: str
    application_id: str
    secret_id: str


@pytest.fixture
def known(registry: Registry) -> tuple[Known, Known]:
    """Return two applications of two tenants, in the order of their IDs."""
    made = []
    for name in ("Blue Motors", "Red Motors"):
        with registry.change("me") as change:
            tenant_id = create_tenant(change, name=name).tenant_id
            application_id = create_application(change, tenant_id=tenant_id, name="Sync").application_id
            secret, _ = create_secret(change, application_id=application_id)
        made.append(Known(tenant_id, application_id, secret.secret_id))
    first, second = sorted(made, key=lambda each: each.application_id)
    return first, second


def record(registry: Registry, *counts: MinuteCount) -> None:
    """Add the counts."""
    with registry.observation() as view:
        record_counts(view, counts)


def tokens(of: Known, minute: int, number: int = 1, secret_id: str = "") -> MinuteCount:
    """Return the count of so many tokens."""
    return MinuteCount(minute, of.application_id, secret_id or of.secret_id, number, 0)


def used(registry: Registry, secret_id: str, use: SecretUse) -> SecretUse | None:
    """Write the use down and return what is known then."""
    with registry.observation() as view:
        record_uses(view, [(secret_id, *use)])
        return use_of_secret(view, secret_id)


def test_counts_of_workers_add_up(registry: Registry, known: tuple[Known, Known]) -> None:
    """Each writes what it counted itself; tokens of several secrets and refusals are one line of the application."""
    one = known[0]
    counts = [
        tokens(one, NOW, 3),
        tokens(one, NOW, 1, "sec_other"),
        MinuteCount(NOW, one.application_id, "", 0, 7),
    ]
    record(registry, *counts)
    record(registry, *counts)
    record(registry)
    with registry.view() as view:
        everything = usage_of(view, from_minute=0, until_minute=NOW + 1)
    assert everything == [Usage(one.application_id, one.tenant_id, START, 8, 14)]


def test_p16_refusals_of_applications_that_never_were_are_one_row(
    registry: Registry, known: tuple[Known, Known]
) -> None:
    """Names that strangers think of fill no disk; those of an application that was deleted are still its own."""
    one, deleted = known
    with registry.change("me") as change:
        delete_application(change, deleted.application_id)
    invented = [f"app_{number:026}" for number in range(50)]
    for name in [*invented, "", one.application_id, deleted.application_id]:
        record(registry, MinuteCount(NOW, name, "", 0, 2))
    with registry.view() as view:
        found = usage_of(view, from_minute=NOW, until_minute=NOW + 1)
    assert [(each.application_id, each.tenant_id, each.refusals) for each in found] == [
        ("", None, 102),
        (one.application_id, one.tenant_id, 2),
        (deleted.application_id, deleted.tenant_id, 2),
    ]


def test_pages_hold_every_line_once(registry: Registry, known: tuple[Known, Known]) -> None:
    """By minute, hour or day of UTC, and whoever's they are; a page begins where the one before ended."""
    other = known[1]
    record(registry, *(tokens(each, NOW - ago) for each in known for ago in (100, 70, 35, 0)))
    tenants, applications = (None, other.tenant_id), (None, other.application_id)
    with registry.view() as view:
        for (per, seconds), tenant_id, application_id in product(PERIODS.items(), tenants, applications):
            lines = partial(usage_of, view, per=per, tenant_id=tenant_id, application_id=application_id)
            paged: list[Usage] = []
            after = None
            while page := lines(from_minute=NOW - 90, until_minute=NOW + 1, after=after, limit=1):
                paged += page
                after = page[0].starts_at, page[0].application_id
            assert paged == lines(from_minute=NOW - 90, until_minute=NOW + 1)
            assert lines(from_minute=NOW - 30, until_minute=NOW) == []
            assert paged == sorted(paged, key=lambda each: (each.starts_at, each.application_id))
            assert all(each.starts_at % seconds == 0 for each in paged)
            is_everybody = tenant_id is application_id is None
            assert sum(each.tokens for each in paged) == (6 if is_everybody else 3)
            assert is_everybody or {each.application_id for each in paged} == {other.application_id}


def test_application_of_another_tenant_has_no_usage(registry: Registry, known: tuple[Known, Known]) -> None:
    """Who asks for a tenant's application by an ID that is another's gets what there is of none."""
    one, other = known
    record(registry, tokens(one, NOW))
    with registry.view() as view:
        found = usage_of(
            view, tenant_id=other.tenant_id, application_id=one.application_id, from_minute=0, until_minute=NOW + 1
        )
    assert found == []


def test_last_use_is_the_latest_whoever_writes_last(registry: Registry, known: tuple[Known, Known]) -> None:
    """Workers write in any order; a lifetime that was made shorter doesn't end the tokens that are there."""
    secret_id = known[0].secret_id
    with registry.view() as view:
        assert use_of_secret(view, secret_id) is None
    assert used(registry, secret_id, SecretUse(START, START + 100)) == SecretUse(START, START + 100)
    assert used(registry, secret_id, SecretUse(START - 9, START + 91)) == SecretUse(START, START + 100)
    assert used(registry, secret_id, SecretUse(START + 9, START + 10)) == SecretUse(START + 9, START + 100)


def test_tokens_alive_are_those_of_the_last_lifetime(
    registry: Registry, known: tuple[Known, Known], clock: Clock
) -> None:
    """Of the secret alone; a minute's tokens too many at most, and none when the last minute's have expired."""
    one = known[0]
    record(registry, tokens(one, NOW, 3), tokens(one, NOW - 11, 50), tokens(one, NOW, 1, "sec_other"))
    for seconds, alive in ((0, 3), (599, 3), (660, 0)):
        clock.milliseconds = (START + seconds) * 1000
        with registry.view() as view:
            assert tokens_alive(view, one.secret_id, 600) == alive
            assert tokens_alive(view, "sec_unknown", 600) == 0


def test_counts_are_kept_for_35_days(registry: Registry, known: tuple[Known, Known]) -> None:
    """Then they are forgotten, the oldest first, some at a time."""
    one = known[0]
    record(registry, *(tokens(one, NOW - KEPT_MINUTES - ago) for ago in (-1, 0, 1, 2, 500)))
    for _ in range(5):
        purge_usage(registry)
    with registry.view() as view:
        rows = view.statements.oldest_usage(view.connection)
        assert rows == NOW - KEPT_MINUTES
        found = usage_of(view, from_minute=0, until_minute=NOW + 1)
    assert [each.starts_at // 60 for each in found] == [NOW - KEPT_MINUTES, NOW - KEPT_MINUTES + 1]
