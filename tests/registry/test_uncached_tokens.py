import pytest

from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, delete_application
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.registry.uncached_tokens import UncachedTokens, applications_that_cache_no_token
from sensos_auth.registry.usage import MinuteCount, record_counts
from tests.registries import START

NOW = START // 60
LIFETIME = 36_000


def new_application(registry: Registry, lifetime: int | None = None) -> tuple[str, str]:
    """Return the IDs of a new application and of its tenant."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Blue Motors").tenant_id
        made = create_application(change, tenant_id=tenant_id, name="Sync", lifetime=lifetime)
        return made.application_id, tenant_id


def count(registry: Registry, application_id: str, *tokens: tuple[int, int]) -> None:
    """Count tokens, given as pairs of minutes ago and how many."""
    with registry.observation() as view:
        record_counts(view, [MinuteCount(NOW - ago, application_id, "sec_a", number, 0) for ago, number in tokens])


def found(registry: Registry, tenant_id: str | None = None, **options: int) -> list[UncachedTokens]:
    """Return who is named."""
    with registry.view() as view:
        return applications_that_cache_no_token(view, lifetime=LIFETIME, tenant_id=tenant_id, **options)


def test_who_caches_no_token_is_named_with_what_to_do(registry: Registry) -> None:
    """By the tokens of the last hour, and what one lasts."""
    application_id, tenant_id = new_application(registry)
    count(registry, application_id, (61, 9999), (59, 3500), (0, 40))
    (named,) = found(registry)
    assert named == (application_id, tenant_id, 3540, LIFETIME, 60)
    assert named.needed == 1
    assert named.says == "3 540 tokens in the last hour; one lasts 10 h: cache it"
    (named,) = found(registry, minutes=1440)
    assert named.says == "13 539 tokens in the last 1 d; one lasts 10 h: cache it"
    assert named.needed == 3


@pytest.mark.parametrize(
    ("lifetime", "enough"),
    [
        (None, 20),  # each of 20 processes has one
        (3600, 40),  # and renews it once
        (60, 20 * 61),
        (1, 20 * 3601),
    ],
)
def test_twenty_processes_that_keep_theirs_are_not_named(registry: Registry, lifetime: int | None, enough: int) -> None:
    """However short the tokens of the application live; with one token more, they are."""
    application_id, tenant_id = new_application(registry, lifetime)
    count(registry, application_id, (0, enough))
    assert found(registry) == []
    assert len(found(registry, processes=19)) == 1
    count(registry, application_id, (1, 1))
    assert [named.tokens for named in found(registry, tenant_id)] == [enough + 1]


def test_the_costliest_come_first_and_each_tenant_has_its_own(registry: Registry) -> None:
    """Up to a number of them; what was deleted is nobody's mistake any more."""
    (one, first), (other, second), (gone, _) = (new_application(registry) for _ in range(3))
    count(registry, one, (0, 100))
    count(registry, other, (0, 200))
    count(registry, gone, (0, 300))
    with registry.change("me") as change:
        delete_application(change, gone)
    assert [named.application_id for named in found(registry)] == [other, one]
    assert [named.application_id for named in found(registry, limit=1)] == [other]
    assert [named.application_id for named in found(registry, first)] == [one]
    assert [named.application_id for named in found(registry, second)] == [other]
