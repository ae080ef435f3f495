from contextlib import suppress

from sensos_auth.registry import Change, Registry
from sensos_auth.registry.idempotency import (
    KEPT_FOR,
    KeptAnswer,
    keep_answer,
    kept_answer,
    key_digest,
    purge_ended_answers,
    request_digest,
)
from sensos_auth.registry.tenants import count_tenants, create_tenant
from tests.registries import Clock

KEY = key_digest("app_a", "9b1d")
REQUEST = request_digest("POST", "/v1/tenants", '{"name": "Blue Motors"}')


def keep(change: Change, sealed: bytes = b"sealed", *, key: bytes = KEY, request: bytes = REQUEST) -> None:
    """Make a tenant, and keep an answer to that."""
    create_tenant(change, name="Blue Motors")
    keep_answer(change, key, request, sealed)


def kept(registry: Registry, key: bytes = KEY) -> KeptAnswer | None:
    """Return what is kept."""
    with registry.view() as view:
        return kept_answer(view, key)


def test_answer_is_kept_for_a_day(registry: Registry, clock: Clock) -> None:
    """And not a second longer."""
    assert kept(registry) is None
    with registry.change("me") as change:
        keep(change)
    clock.advance(KEPT_FOR - 1)
    assert kept(registry) == KeptAnswer(REQUEST, b"sealed")
    clock.advance(1)
    assert kept(registry) is None


def test_answer_is_kept_with_what_it_answers_for(registry: Registry) -> None:
    """In one transaction: a change that fails leaves no answer, and no answer is there without its change."""
    with suppress(RuntimeError), registry.change("me") as change:
        keep(change)
        raise RuntimeError
    assert kept(registry) is None
    with registry.view() as view:
        assert count_tenants(view) == 0


def test_key_can_be_used_again_once_its_answer_has_ended(registry: Registry, clock: Clock) -> None:
    """Whether or not the old answer was cleaned away before."""
    with registry.change("me") as change:
        keep(change, b"first")
    clock.advance(KEPT_FOR)
    with registry.change("me") as change:
        keep(change, b"second", request=b"r" * 32)
    assert kept(registry) == KeptAnswer(b"r" * 32, b"second")


def test_only_what_has_ended_is_purged(registry: Registry, clock: Clock) -> None:
    """The rest stays, and nothing of it is an event."""
    other = key_digest("app_a", "other")
    with registry.change("me") as change:
        keep(change)
    clock.advance(KEPT_FOR - 10)
    with registry.change("me") as change:
        keep(change, key=other)
    clock.advance(10)
    purge_ended_answers(registry)
    purge_ended_answers(registry)
    with registry.view() as view:
        rows = list(view.connection.execute("SELECT key_digest FROM idempotent_answers"))
    assert [bytes(row[0]) for row in rows] == [other]


def test_digests_tell_everything_apart() -> None:
    """Also what reads alike when written in a row, and the same key of two applications."""
    keys = {key_digest(*pair) for pair in (("app_a", "b"), ("app_ab", ""), ("app_", "ab"), ("app_b", "b"))}
    requests = {
        request_digest(*parts)
        for parts in (("POST", "/v1/a", "{}"), ("POST", "/v1/a{}", ""), ("PUT", "/v1/a", "{}"), ("POST", "/v1/", "a{}"))
    }
    assert len(keys) == 4
    assert len(requests) == 4
    assert {len(digest) for digest in keys | requests} == {32}
