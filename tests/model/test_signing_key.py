from dataclasses import replace

import pytest

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.signing_key import KeyState, SigningKey, active_key, checked_algorithm, newest_key, rotation_due

_H, _D = 3600, 86_400
_T = 1_000_000_000
_KEY = SigningKey("k", "ES256", "{}", _T - 48 * _H, _T, _T + 30 * _D, None, has_private_key=True)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (_T - 48 * _H, "upcoming"),
        (_T - 1, "upcoming"),
        (_T, "active"),
        (_T + 30 * _D - 1, "active"),
        (_T + 30 * _D, "retiring"),
        (_T + 30 * _D + 24 * _H + _D - 1, "retiring"),
        (_T + 30 * _D + 24 * _H + _D, "retired"),
    ],
)
def test_states_follow_the_schedule(now: int, state: str) -> None:
    """48 h upcoming, 30 days active, 24 h and the longest lifetime retiring; each begins at its second."""
    assert _KEY.state(now) == state
    assert _KEY.is_published(now) == (state != "retired")


def test_newest_key_signs_until_its_successor_takes_over() -> None:
    """Without an end, a key is active for as long as it takes."""
    assert replace(_KEY, signs_until=None).state(_T + 3650 * _D) is KeyState.ACTIVE


@pytest.mark.parametrize("now", [_T - 1, _T, _T + 30 * _D, _T + 90 * _D])
def test_revoked_is_revoked_at_every_time(now: int) -> None:
    """Revoked is reached from everywhere, never left, and never published."""
    revoked = replace(_KEY, revoked_at=_T)
    assert revoked.state(now) is KeyState.REVOKED
    assert not revoked.is_published(now)


def test_active_key_is_the_one_whose_turn_it_is() -> None:
    """Of three in line, each signs in its turn."""
    line = [
        replace(_KEY, kid="a", signs_from=_T, signs_until=_T + 10),
        replace(_KEY, kid="b", signs_from=_T + 10, signs_until=_T + 20),
        replace(_KEY, kid="c", signs_from=_T + 20, signs_until=None),
    ]
    signs = [active_key(line, _T + second) for second in (0, 9, 10, 19, 20, 10**9)]
    assert [key.kid for key in signs if key is not None] == ["a", "a", "b", "b", "c", "c"]
    assert newest_key(line) == line[2]


def test_z53_first_key_signs_though_the_clock_was_set_back() -> None:
    """A clock behind the first key's beginning does not leave the service without a key."""
    first = replace(_KEY, signs_until=None)
    assert active_key([first], _T - _H) is first


def test_z53_successor_signs_though_the_clock_is_back_in_a_revoked_keys_time() -> None:
    """A clock behind a revocation does not bring the revoked key back: the next in line signs."""
    revoked = replace(_KEY, kid="a", signs_until=_T + 10, revoked_at=_T + 10)
    successor = replace(_KEY, kid="b", signs_from=_T + 10, signs_until=None)
    assert active_key([revoked, successor], _T + 5) is successor


def test_no_keys_no_active_key() -> None:
    """Before the first key there is none; revoked and ended keys never sign."""
    assert active_key([], _T) is None
    assert active_key([replace(_KEY, revoked_at=_T)], _T) is None
    assert active_key([_KEY], _T + 31 * _D) is None


@pytest.mark.parametrize(("days", "due"), [(0, False), (28, True), (27.99, False), (400, True)])
def test_next_key_is_due_48_hours_before_the_end(days: float, *, due: bool) -> None:
    """The next key is published 48 h before the newest one has signed for 30 days."""
    newest = replace(_KEY, signs_until=None)
    assert rotation_due([newest], _T + int(days * _D)) is due


def test_first_key_is_due_at_once() -> None:
    """Where there is no key, one is due."""
    assert rotation_due([], _T)


@pytest.mark.parametrize("name", ["none", "HS256", "es256", "ES256K", ""])
def test_other_algorithm_is_refused(name: str) -> None:
    """ES256, RS256 and EdDSA, written as in RFC 7518 and RFC 8037."""
    assert [checked_algorithm(one) for one in ("ES256", "RS256", "EdDSA")] == ["ES256", "RS256", "EdDSA"]
    with pytest.raises(InvalidInput, match="ES256, RS256, EdDSA"):
        checked_algorithm(name)
