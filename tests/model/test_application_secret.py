import collections
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.model.application_secret import LENGTH, PREFIX, Secret, digest, has_valid_checksum, new_secret

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SAMPLES = 100_000


@pytest.fixture(scope="module")
def samples() -> list[str]:
    """Return many secrets."""
    return [new_secret() for _ in range(_SAMPLES)]


def test_format(samples: list[str]) -> None:
    """``sensos_sk_``, 43 characters of base62 for 256 bits, 6 for the checksum."""
    for secret in samples[:1000]:
        assert secret.startswith(PREFIX)
        assert len(secret) == LENGTH == 10 + 43 + 6
        assert set(secret.removeprefix(PREFIX)) <= set(_BASE62)
        number = 0
        for character in secret[10:53]:
            number = number * 62 + _BASE62.index(character)
        assert number < 2**256


def test_published_example_stays_valid() -> None:
    """The format never changes: a secret that was given out once is accepted for ever."""
    assert has_valid_checksum("sensos_sk_" + "0" * 43 + "0ehSnY")
    assert digest("sensos_sk_" + "0" * 43 + "0ehSnY").hex() == (
        "83d74e9351deb396dc6edab8f938c54a703ae3cfaaf3cf8ca545b608738988c2"
    )


def test_i03_never_the_same_twice(samples: list[str]) -> None:
    """100 000 secrets are 100 000 different ones."""
    assert len(set(samples)) == _SAMPLES


def test_i03_characters_are_uniform(samples: list[str]) -> None:
    """Chi-square over the 42 characters that can be uniform: no modulo bias."""
    # The first of the 43 is not uniform: 2^256 is a little less than 62^43.
    counts = collections.Counter("".join(secret[11:53] for secret in samples))
    expected = _SAMPLES * 42 / 62
    statistic = sum((counts[character] - expected) ** 2 / expected for character in _BASE62)
    assert statistic < 150  # 61 degrees of freedom: by chance once in 10^9 runs


def test_i03_every_position_varies(samples: list[str]) -> None:
    """No position is fixed: all 62 characters are seen at each of the 42, and at each of the last 5 of the checksum."""
    for position in [*range(11, 53), *range(54, 59)]:
        assert len({secret[position] for secret in samples[:20_000]}) == 62


def test_fresh_secret_is_valid(samples: list[str]) -> None:
    """Every secret that is given out passes its own check."""
    assert all(map(has_valid_checksum, samples))


@given(st.data())
def test_a24_any_changed_character_is_a_typing_error(data: st.DataObject) -> None:
    """One character replaced anywhere, by any other, is told apart without a look-up."""
    secret = new_secret()
    position = data.draw(st.integers(0, LENGTH - 1))
    character = data.draw(st.characters().filter(lambda other: other != secret[position]))
    assert not has_valid_checksum(secret[:position] + character + secret[position + 1 :])


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda secret: secret[:-1], id="truncated"),
        pytest.param(lambda secret: secret + "0", id="appended"),
        pytest.param(lambda secret: secret + "\n", id="line-feed"),
        pytest.param(lambda secret: " " + secret, id="space-before"),
        pytest.param(str.swapcase, id="case-flipped"),
        pytest.param(str.lower, id="lower"),
        pytest.param(lambda secret: secret.removeprefix(PREFIX), id="no-prefix"),
        pytest.param(lambda secret: secret[:20] + secret[21] + secret[20] + secret[22:], id="swapped"),
        pytest.param(lambda secret: secret[:20] + "\ud800" + secret[21:], id="half-a-surrogate-pair"),
        pytest.param(lambda secret: secret[:20] + "\u0660" + secret[21:], id="digit-of-another-script"),
        pytest.param(lambda _: "", id="empty"),
        pytest.param(lambda secret: digest(secret).hex(), id="a25-digest"),
    ],
)
def test_a24_usual_mistakes_are_typing_errors(spoil) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - a lambda
    """The mistakes that people and programs make when they copy a secret."""
    for _ in range(50):
        secret = new_secret()
        spoilt = spoil(secret)
        assert spoilt == secret or not has_valid_checksum(spoilt)


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "state"),
    [
        (None, None, "active"),
        (101, None, "active"),
        (100, None, "expired"),
        (99, None, "expired"),
        (None, 50, "revoked"),
        (99, 50, "revoked"),
    ],
)
def test_a26_state_at_second_100(expires_at: int | None, revoked_at: int | None, state: str) -> None:
    """The second at which a secret expires is the first at which it no longer works."""
    secret = Secret(
        secret_id="sec_x",
        application_id="app_x",
        tenant_id="ten_x",
        label="",
        created_at=0,
        expires_at=expires_at,
        revoked_at=revoked_at,
        retire_unused_for=None,
        retire_unused_from=None,
        changed_version=1,
    )
    assert secret.state(100) == state
