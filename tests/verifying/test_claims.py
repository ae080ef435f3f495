"""ATTACKS group E: tokens signed by the right key whose claims are not to be believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.verifying import Caller, InvalidToken
from sensos_auth.verifying.claims import YEAR_2100
from tests.verifying.issued import (
    APPLICATION,
    AUDIENCE,
    GOOD_CLAIMS,
    ISSUER,
    KEY,
    NOW,
    TENANT,
    VERIFIER,
    good_claims,
    verifier_for,
)

NO_TEXT: list[object] = [..., None, "", 1, 1.5, True, [], {}, [APPLICATION], {"x": APPLICATION}]
NO_TIME: list[object] = [
    *(..., None, str(NOW + 100), True, False, [], {}, [NOW + 100], NOW + 100.5, float(NOW + 100), -1, 0),
    *((1 << 53) + 1, 1 << 63, 10**4000, YEAR_2100, -NOW),
]


def short(value: object) -> str:
    """Return a name for a parameter."""
    return repr(value)[:20]


def _verify(payload: bytes, now: float = NOW) -> Caller:
    return verifier_for(KEY, now=now).verify(KEY.sign(KEY.header(), payload))


def _refused(**changes: object) -> str:
    with pytest.raises(InvalidToken) as refused:
        _verify(json.dumps(good_claims(**changes)).encode())
    return refused.value.reason


def test_caller_is_what_the_claims_say() -> None:
    """The caller carries tenant, application, scopes, token ID and expiry, and all claims, also unknown ones."""
    caller = VERIFIER.verify(KEY.token(region="eu"))
    assert caller == Caller(
        tenant_id=TENANT,
        application_id=APPLICATION,
        scopes=frozenset({"devices:read", "devices:write"}),
        token_id=GOOD_CLAIMS.jti,
        expires_at=GOOD_CLAIMS.exp,
    )
    assert caller.claims == good_claims(region="eu")


@pytest.mark.parametrize("exp", NO_TIME, ids=short)
def test_e01_e03_exp_must_be_a_time(exp: object) -> None:
    """An expiry that is missing, no whole number, or beyond the year 2100 is refused."""
    assert _refused(exp=exp) == "exp is not a time in whole seconds"


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"Infinity", b"1800000100.0", b"18000001e2", b"0x1"])
def test_e03_exp_must_be_written_as_an_integer(number: bytes) -> None:
    """Numbers that are no JSON, infinite or floating are refused, whatever they come to."""
    payload = json.dumps(good_claims()).encode().replace(b"%d," % GOOD_CLAIMS.exp, number + b",", 1)
    assert number in payload
    with pytest.raises(InvalidToken):
        _verify(payload)


def test_e02_expired_is_expired() -> None:
    """A token is good until the instant before its expiry, and not at it or later."""
    payload = json.dumps(good_claims()).encode()
    assert _verify(payload, GOOD_CLAIMS.exp - 0.001).tenant_id
    for late in (0, 0.001, 1, 10, 3600):
        with pytest.raises(InvalidToken) as refused:
            _verify(payload, GOOD_CLAIMS.exp + late)
        assert refused.value.reason == "expired"


def test_e04_lifetime_has_a_ceiling() -> None:
    """One day is the longest lifetime that is believed; a second more is refused."""
    assert _verify(json.dumps(good_claims(exp=NOW + 86_400)).encode()).tenant_id
    assert _refused(exp=NOW + 86_401) == "lives too long"
    assert _refused(exp=NOW + 10 * 365 * 86_400) == "lives too long"


@pytest.mark.parametrize("iat", NO_TIME, ids=short)
def test_e05_iat_must_be_a_time(iat: object) -> None:
    """A time of issue that is missing or no whole number is refused."""
    assert _refused(iat=iat) == "iat is not a time in whole seconds"


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_e05_e06_clocks_may_differ_by_ten_seconds(name: str) -> None:
    """A token from 10 s ahead is accepted, from 11 s and 60 s ahead it is refused."""
    assert _verify(json.dumps(good_claims(**{name: NOW + 10})).encode()).tenant_id
    for ahead in (11, 60, 3600):
        assert _refused(**{name: NOW + ahead}) == "not valid yet"


@pytest.mark.parametrize("nbf", [value for value in NO_TIME if value is not ...], ids=short)
def test_e06_nbf_must_be_a_time(nbf: object) -> None:
    """A "not before" that is there must be a time."""
    assert _refused(nbf=nbf) == "nbf is not a time in whole seconds"


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_e07_token_must_not_expire_before_it_begins(name: str) -> None:
    """A time of issue or "not before" at the expiry or after it is refused."""
    for begins in (NOW + 5, NOW + 6):
        assert _refused(exp=NOW + 5, **{name: begins}) == "expires before it begins"


@pytest.mark.parametrize(
    "aud",
    [
        *NO_TEXT,
        [1],
        [AUDIENCE],
        [AUDIENCE, "other"],
        ["other"],
        "other",
        AUDIENCE + "/",
        AUDIENCE.upper(),
        AUDIENCE[:-1],
        AUDIENCE + "-v2",
        f" {AUDIENCE}",
        f"{AUDIENCE} other",
        f"{AUDIENCE}\0",
        ISSUER,
        f"{ISSUER}/v1/applications/token",
    ],
    ids=repr,
)
def test_e08_e09_e10_audience_must_be_ours_alone(aud: object) -> None:
    """An audience that is not exactly ours is refused; so is a list, even with ours in it."""
    assert _refused(aud=aud) == "wrong audience"


@pytest.mark.parametrize(
    "iss",
    [
        *NO_TEXT,
        [ISSUER],
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER.replace("https", "http"),
        ISSUER[:-1],
        ISSUER.removeprefix("https://"),
        f"{ISSUER}.evil.example",
        f"{ISSUER}/tenants/other",
        "https://evil.example",
    ],
    ids=repr,
)
def test_e11_e12_issuer_must_be_ours(iss: object) -> None:
    """An issuer that is not letter by letter the configured one is refused."""
    assert _refused(iss=iss) == "wrong issuer"


@pytest.mark.parametrize("name", ["sub", "client_id", "tenant_id", "credential_id", "jti"])
@pytest.mark.parametrize("value", [*NO_TEXT, "a b", "a\r\nx: y", "a\0", "ä", "a" * 10_000], ids=short)
def test_e14_e15_e16_identifiers_must_be_texts(name: str, value: object) -> None:
    """Identifiers that are missing, empty, no text, no printable ASCII or endless are refused."""
    _refused(**{name: value})


def test_e14_sub_and_client_id_must_agree() -> None:
    """RFC 9068 section 2.2: the subject of an application's own token is the application."""
    assert _refused(sub="app_other") == "sub is not client_id"
    assert _refused(client_id="app_other") == "sub is not client_id"


def test_e15_token_id_has_at_most_64_characters() -> None:
    """64 characters are a token ID, 65 are not."""
    assert _verify(json.dumps(good_claims(jti="a" * 64)).encode()).token_id == "a" * 64
    _refused(jti="a" * 65)


@pytest.mark.parametrize("rv", [..., None, "1", True, 1.0, 1.5, [], {}, -1, 1 << 63, 10**300], ids=short)
def test_e17_registry_version_must_be_one(rv: object) -> None:
    """A registry version that is missing or no natural number is refused."""
    assert _refused(rv=rv) == "rv is not a registry version"


def test_e17_higher_registry_version_is_accepted() -> None:
    """A version higher than any seen is what a token of the next moment carries."""
    assert _verify(json.dumps(good_claims(rv=(1 << 63) - 1)).encode()).tenant_id


@pytest.mark.parametrize("name", sorted(good_claims()))
def test_e18_duplicate_claims_are_refused(name: str) -> None:
    """A claim that stands twice is refused, even with the same value."""
    claims = good_claims()
    member = f"{json.dumps(name)}: {json.dumps(claims[name])}"
    payload = json.dumps(claims)
    assert member in payload
    with pytest.raises(InvalidToken):
        _verify(payload.replace(member, f"{member}, {member}").encode())


GOOD_PAYLOAD = json.dumps(good_claims()).encode()


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"[]", id="e19-list"),
        pytest.param(b"null", id="e19-null"),
        pytest.param(b'"x"', id="e19-string"),
        pytest.param(b"", id="e19-empty"),
        pytest.param(b"no JSON", id="e19-no-json"),
        pytest.param(b"{}", id="e19-no-claims"),
        pytest.param(b"[" + GOOD_PAYLOAD + b"]", id="e19-in-a-list"),
        pytest.param(b"\xef\xbb\xbf" + GOOD_PAYLOAD, id="e19-bom"),
        pytest.param(GOOD_PAYLOAD.decode().encode("utf-16"), id="e19-utf-16"),
        pytest.param(GOOD_PAYLOAD + GOOD_PAYLOAD, id="e19-twice"),
        pytest.param(GOOD_PAYLOAD.replace(b"{", b'{"x":' + b"[" * 2500 + b"]" * 2500 + b",", 1), id="e20-depth-2500"),
        pytest.param(
            GOOD_PAYLOAD.replace(b"{", b"{" + b"".join(b'"%d":0,' % n for n in range(10_000)), 1),
            id="e20-10000-members",
        ),
    ],
)
def test_e19_e20_claims_must_be_one_small_object(payload: bytes) -> None:
    """Claims that are not one JSON object of a sane size are refused."""
    with pytest.raises(InvalidToken):
        _verify(payload)


@pytest.mark.parametrize(
    "scope",
    [
        *(None, 1, True, [], {}, ["devices:read"], "", " ", "a  b", " a", "a ", "a\tb", "a\nb", "a\0b", 'a"b', "a\\b"),
        *("ä", "a,\x7f"),
    ],
    ids=repr,
)
def test_e23_scope_must_be_scope_names(scope: object) -> None:
    """A scope that is there must be names of RFC 6749 section 3.3, with one space between them."""
    _refused(scope=scope)


def test_e23_scope_may_be_absent() -> None:
    """A token without scope speaks for a caller with none."""
    assert VERIFIER.verify(KEY.token(scope=...)).scopes == frozenset()


@pytest.mark.parametrize("cnf", [{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, {}, None, "x"], ids=repr)
def test_e26_token_bound_to_a_key_is_no_bearer_token(cnf: object) -> None:
    """A token with a confirmation is refused as a bearer token (RFC 9449 section 7.1)."""
    assert _refused(cnf=cnf) == "bound to a key, but shown as a bearer token"


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(
            {"iss": ISSUER, "sub": "user", "aud": AUDIENCE, "iat": NOW, "exp": NOW + 60, "nonce": "n"}, id="id-token"
        ),
        pytest.param({"jti": "x", "htm": "POST", "htu": f"{ISSUER}/x", "iat": NOW}, id="dpop-proof"),
        pytest.param(
            {"iss": APPLICATION, "sub": APPLICATION, "aud": ISSUER, "jti": "x", "iat": NOW, "exp": NOW + 60},
            id="client-assertion",
        ),
        pytest.param(
            {"iss": ISSUER, "sub": ISSUER, "iat": NOW, "exp": NOW + 60, "status_list": {"bits": 1}}, id="status-list"
        ),
        pytest.param(
            {"iss": ISSUER, "aud": AUDIENCE, "iat": NOW, "exp": NOW + 60, "jti": "x", "events": {}}, id="logout-token"
        ),
    ],
)
def test_e21_other_tokens_of_the_issuer_are_refused(claims: dict[str, object]) -> None:
    """The claims of other kinds of tokens are no access token's, even under its type."""
    with pytest.raises(InvalidToken):
        _verify(json.dumps(claims).encode())


@pytest.mark.parametrize("now", [1_900_000_000, 2_147_483_647, 2_147_483_648, 4_102_444_800 - 86_401])
def test_e30_no_year_before_2100_is_special(now: int) -> None:
    """Tokens are good in 2030, on both sides of 2038, and until the end of 2099."""
    assert _verify(json.dumps(good_claims(iat=now, exp=now + 86_400)).encode(), now).tenant_id


UNUSED = [
    "name",
    "email",
    "roles",
    "groups",
    "azp",
    "acr",
    "amr",
    "auth_time",
    "nonce",
    "act",
    "entitlements",
    "admin",
    "kid",
]


@pytest.mark.parametrize("name", UNUSED)
@pytest.mark.parametrize("value", [None, True, False, "x", 0, "http://127.0.0.1:1/"], ids=repr)
def test_e32_claims_that_are_not_used_change_nothing(name: str, value: object) -> None:
    """Claims that mean nothing to us don't change the decision, whatever they hold."""
    assert VERIFIER.verify(KEY.token(**{name: value})) == VERIFIER.verify(KEY.token())


@pytest.mark.parametrize("name", sorted({*good_claims()} - {"scope"}))
@pytest.mark.parametrize("value", [None, True, False, "", 0, [], {}, "http://127.0.0.1:1/"], ids=repr)
def test_e32_claims_that_are_used_must_be_right(name: str, value: object) -> None:
    """Each claim of ours set to a scanner's favourite values is refused, but for texts that fit anywhere."""
    if value == "http://127.0.0.1:1/" and name in {"jti", "tenant_id", "credential_id"}:
        assert VERIFIER.verify(KEY.token(**{name: value})).tenant_id
    elif value == 0 and value is not False and name == "rv":
        assert VERIFIER.verify(KEY.token(rv=0)).tenant_id
    else:
        _refused(**{name: value})


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(good_claims())), JSON_VALUES, min_size=1, max_size=3))
def test_arbitrary_claims_raise_nothing_else(changes: dict[str, object]) -> None:
    """Whatever the claims hold, verification returns a caller or raises InvalidToken."""
    payload = json.dumps(good_claims(**changes)).encode()
    try:
        assert _verify(payload).tenant_id
    except InvalidToken:
        return
